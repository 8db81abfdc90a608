"""Where people sign up, in and out, and their inbox. Of allauth's many pages only those that our sign-in needs."""

from allauth.account import views
from django.conf import settings
from django.urls import URLPattern, path

from accounts import pages


def routes(*, local_messages: bool) -> list[URLPattern]:
    signing_in = [
        path("account/login/", views.login, name="account_login"),
        path("account/login/code/confirm/", views.confirm_login_code, name="account_confirm_login_code"),
        path("account/signup/", pages.SignUp.as_view(), name="account_signup"),
        path("account/phone/verify/", views.verify_phone, name="account_verify_phone"),
        path("account/logout/", views.logout, name="account_logout"),
        path("account/inactive/", views.account_inactive, name="account_inactive"),
    ]
    own = [
        path("inbox/", pages.inbox, name="inbox"),
        path("language", pages.language, name="set_language"),
        path("settings/", pages.settings, name="settings"),
        path("settings/devices/<int:device>/sign-out", pages.sign_out_device, name="sign_out_device"),
        path("settings/devices/sign-out-others", pages.sign_out_others, name="sign_out_others"),
    ]
    local = [path("dev/messages", pages.local_messages, name="local_messages")]
    return signing_in + own + (local if local_messages else [])


urlpatterns = routes(local_messages=settings.LOCAL_MESSAGES)
