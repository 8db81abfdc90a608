from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

LOCAL_BACKENDS = {"accounts.messaging.LocalTexts", "accounts.messaging.LocalMail"}


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Production does not start with a sender that keeps codes in a table instead of sending them."""
        local = LOCAL_BACKENDS & {settings.SMS_BACKEND, settings.EMAIL_BACKEND}
        if local and not settings.LOCAL_MESSAGES:
            raise ImproperlyConfigured(f"{', '.join(sorted(local))}: production sends messages and keeps none.")
