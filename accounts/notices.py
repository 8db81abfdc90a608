"""Messages out of the house: texts by the sender that SMS_BACKEND names, mails by Django's EMAIL_BACKEND.

On a developer's machine and in tests both end in a table, shown at /dev/messages.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts import rules
from accounts.models import LocalMessage
from kernel.writes import insert_all

log = structlog.get_logger(__name__)
#: What a page says to whoever waits for a message that did not go out.
NOT_SENT = _("It could not be sent. Try again in a few minutes.")
#: Messages that wait to be kept, while several are.
_kept: ContextVar[list[LocalMessage] | None] = ContextVar("kept", default=None)


class Texts(Protocol):
    """A way to send a text message. Made anew for each; raises what it likes when the text did not go out."""

    def send(self, phone: str, text: str) -> None: ...


def send_text(phone: str, text: str) -> None:
    """Send `text` to this E.164 number. A sandbox person's number exists nowhere, so such a text stays at home."""
    if rules.is_fictional(phone) and not settings.LOCAL_MESSAGES:
        return
    if not settings.SMS_BACKEND:
        raise ImproperlyConfigured("SMS_BACKEND names nobody who could send a text message.")
    backend: Texts = import_string(settings.SMS_BACKEND)()
    backend.send(phone, text)


def send_mail(address: str, subject: str, body: str) -> None:
    """Send a mail to this address by Django's EMAIL_BACKEND. Raises what the backend raises when it did not go out."""
    EmailMessage(subject, body, to=[address]).send()


def goes_out(send: Callable[..., None], to: str, *words: str) -> bool:
    """Whether a message went out that somebody waits for in front of a page. If not, a line says why."""
    try:
        send(to, *words)
    except Exception:
        log.exception("message_not_sent")
        return False
    return True


def keep_text_at_home(phone: str, text: str) -> None:
    """A text to a sandbox's person: seen where messages are kept, and nowhere else. It never leaves."""
    if settings.LOCAL_MESSAGES:
        keep("sms", phone, text)


def keep_mail_at_home(address: str, subject: str, body: str) -> None:
    """The same for a mail."""
    if settings.LOCAL_MESSAGES:
        keep("mail", address, as_text(subject, body))


class LocalTexts:
    """Keeps what would be sent."""

    def send(self, phone: str, text: str) -> None:
        keep("sms", phone, text)


class LocalMail(BaseEmailBackend):
    """Keeps what would be mailed, one line for each who would get it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for mail in email_messages:
            for address in mail.recipients():
                keep("mail", address, as_text(str(mail.subject), str(mail.body)))
        return len(email_messages)


def as_text(subject: str, body: str) -> str:
    return f"{subject}\n\n{body}"


@contextmanager
def kept_together() -> Iterator[None]:
    """What is kept at home meanwhile is written down at the end, all in one."""
    if _kept.get() is not None:
        yield
        return
    token = _kept.set([])
    try:
        yield
        insert_all(_kept.get() or [])
    finally:
        _kept.reset(token)


def keep(kind: str, to: str, text: str) -> None:
    """In production a code at rest in a table would be a hole, whatever the settings say."""
    if not settings.LOCAL_MESSAGES:
        raise ImproperlyConfigured("Messages are kept on a developer's machine and in tests only.")
    message, waiting = LocalMessage(kind=kind, to=to, text=text), _kept.get()
    if waiting is None:
        message.save(force_insert=True)
    else:
        waiting.append(message)
