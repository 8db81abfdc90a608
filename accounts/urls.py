"""URLs of sign-up, sign-in, inbox and settings, with only those pages of allauth that are needed."""

from allauth.account import views
from django.conf import settings as configured
from django.urls import URLPattern, path

from accounts.pages import confirm_identity, inbox, notification_settings, sandbox, second_factor, settings, sign_in

SIGNING_IN: list[URLPattern] = [
    path("account/login/", sign_in.SignInView.as_view(), name="account_login"),
    path("account/login/code/confirm/", sign_in.ConfirmSignInView.as_view(), name="account_confirm_login_code"),
    path("account/signup/", sign_in.SignUpView.as_view(), name="account_signup"),
    path("account/phone/verify/", sign_in.ConfirmSignUpView.as_view(), name="account_verify_phone"),
    path("account/second-step/", second_factor.sign_in_second_factor, name="mfa_authenticate"),
    path("account/logout/", views.logout, name="account_logout"),
    path("account/inactive/", views.account_inactive, name="account_inactive"),
    path("sandbox/sign-in/<str:token>", sandbox.sign_in, name="sandbox_sign_in"),
    path("language", sign_in.set_page_language, name="set_language"),
]
OWN: list[URLPattern] = [
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/read", inbox.mark_all_read, name="mark_all_read"),
    path("inbox/<str:notice>", inbox.notice, name="notice"),
    path("settings/", settings.settings, name="settings"),
    path("settings/notices", notification_settings.notification_settings_page, name="notification_settings"),
    path("settings/mail", notification_settings.change_mail, name="mail"),
    path("settings/mail/another", notification_settings.cancel_mail_code, name="cancel_mail_code"),
    path("settings/mail/remove", notification_settings.remove_mail, name="remove_mail"),
    path("settings/phone", confirm_identity.change_phone, name="phone"),
    path("settings/confirm", confirm_identity.confirm_identity, name="confirm"),
    path("settings/second-factor", second_factor.overview, name="second_factor"),
    path("settings/second-factor/app", second_factor.add_app, name="add_app"),
    path("settings/second-factor/passkey", second_factor.add_passkey, name="add_passkey"),
    path("settings/second-factor/codes", second_factor.recovery_codes, name="codes"),
    path("settings/second-factor/codes/kept", second_factor.dismiss_recovery_codes, name="dismiss_recovery_codes"),
    path("settings/second-factor/<int:key>/remove", second_factor.remove_factor, name="remove_factor"),
    path("settings/devices/<int:device>/sign-out", settings.sign_out_device, name="sign_out_device"),
    path("settings/devices/sign-out-others", settings.sign_out_others, name="sign_out_others"),
]
LOCAL: list[URLPattern] = [path("dev/messages", sign_in.local_messages, name="local_messages")]


def routes(*, local_messages: bool) -> list[URLPattern]:
    return SIGNING_IN + OWN + (LOCAL if local_messages else [])


urlpatterns = routes(local_messages=configured.LOCAL_MESSAGES)
