"""Where people sign up, in and out, and their inbox. Of allauth's many pages only those that our sign-in needs."""

from allauth.account import views
from django.conf import settings as configured
from django.urls import URLPattern, path

from accounts.pages import confirm, inbox, reach, sandbox, second, settings, signing

SIGNING_IN: list[URLPattern] = [
    path("account/login/", signing.SignIn.as_view(), name="account_login"),
    path("account/login/code/confirm/", signing.ConfirmSignIn.as_view(), name="account_confirm_login_code"),
    path("account/signup/", signing.SignUp.as_view(), name="account_signup"),
    path("account/phone/verify/", signing.ConfirmSignUp.as_view(), name="account_verify_phone"),
    path("account/second-step/", second.second_step, name="mfa_authenticate"),
    path("account/logout/", views.logout, name="account_logout"),
    path("account/inactive/", views.account_inactive, name="account_inactive"),
    path("sandbox/sign-in/<str:token>", sandbox.sign_in, name="sandbox_sign_in"),
    path("language", signing.language, name="set_language"),
]
OWN: list[URLPattern] = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/read", inbox.read_all, name="read_all"),
    path("inbox/<str:notice>", inbox.notice, name="notice"),
    path("settings/", settings.settings, name="settings"),
    path("settings/notices", reach.told, name="told"),
    path("settings/mail", reach.mail, name="mail"),
    path("settings/mail/another", reach.another_mail, name="another_mail"),
    path("settings/mail/remove", reach.forget_mail, name="forget_mail"),
    path("settings/phone", confirm.phone, name="phone"),
    path("settings/confirm", confirm.confirm, name="confirm"),
    path("settings/second-factor", second.overview, name="second_factor"),
    path("settings/second-factor/app", second.add_app, name="add_app"),
    path("settings/second-factor/passkey", second.add_passkey, name="add_passkey"),
    path("settings/second-factor/codes", second.codes, name="codes"),
    path("settings/second-factor/codes/kept", second.codes_kept, name="codes_kept"),
    path("settings/second-factor/<int:key>/remove", second.remove, name="remove_factor"),
    path("settings/devices/<int:device>/sign-out", settings.sign_out_device, name="sign_out_device"),
    path("settings/devices/sign-out-others", settings.sign_out_others, name="sign_out_others"),
]
LOCAL: list[URLPattern] = [path("dev/messages", signing.local_messages, name="local_messages")]


def routes(*, local_messages: bool) -> list[URLPattern]:
    return SIGNING_IN + OWN + (LOCAL if local_messages else [])


urlpatterns = routes(local_messages=configured.LOCAL_MESSAGES)
