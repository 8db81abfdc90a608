"""The adapter between django-allauth and accounts: encrypted phone columns, our SMS backend, and our clock."""

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.fields import PhoneField
from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.account.internal.stagekit import clear_login
from allauth.core.exceptions import ImmediateHttpResponse, RateLimited
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import devices, messaging, refusals, rules, services, sms_limits
from accounts.models import User
from kernel import clock
from kernel.actor import Actor

SECONDS_A_MINUTE = 60


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    """People sign up and in by phone and code. No page reveals whether a number has an account."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "incorrect_code": gettext_lazy("The code is incorrect or has expired."),
    }

    def phone_form_field(self, **kwargs: Any) -> Any:
        """A free-form phone field; `clean_phone` validates it."""
        widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "138 0013 8000"})
        label = gettext_lazy("Phone number")
        return PhoneField(
            **{**kwargs, "label": label, "widget": widget, "validators": [], "max_length": rules.PHONE_LENGTH_MAX}
        )

    def clean_phone(self, phone: str) -> str:
        number = rules.parse_phone(phone)
        if number is None:
            raise forms.ValidationError(refusals.InvalidPhone.title, code=refusals.InvalidPhone.code)
        if not sms_limits.can_text(number):
            raise forms.ValidationError(sms_limits.UNSUPPORTED_COUNTRY, code=refusals.InvalidPhone.code)
        return number

    def save_user(self, request: HttpRequest, user: User, form: forms.Form, commit: bool = True) -> User:  # noqa: ARG002, FBT001, FBT002  allauth's signature
        phone, language = form.cleaned_data["phone"], translation.get_language() or settings.LANGUAGE_CODE
        try:
            return services.sign_up(phone, language=language, by=Actor.system("sign-up"), at=clock.live_now())
        except refusals.PhoneTaken:
            # Lost a race against another sign-up: respond as for any number that has an account.
            raise ImmediateHttpResponse(prevent_enumeration(request, phone=phone)) from None

    def get_user_by_phone(self, phone: str) -> User | None:
        return User.objects.find_by_phone(phone)

    def get_phone(self, user: User) -> tuple[str, bool] | None:
        phone = user.reveal_phone()
        return None if phone is None else (phone, user.phone_verified_at is not None)

    def set_phone(self, user: User, phone: str, verified: bool) -> None:  # noqa: FBT001  allauth's signature
        """Store a number only once its code was verified; until then it is in the session only."""
        if verified:
            self.set_phone_verified(user, phone)

    def set_phone_verified(self, user: User, phone: str) -> None:
        """Mark the number as verified.

        Raises:
            ImmediateHttpResponse: the number is no longer theirs, or the account is closed.
        """
        try:
            updated = services.confirm_phone(user.id, phone, by=Actor.system("sign-in"), at=clock.live_now())
        except refusals.PhoneNotOwned:
            clear_login(self.request)
            messages.warning(self.request, self.error_messages["incorrect_code"])
            url_name = "account_login" if user.is_active else "account_inactive"
            raise ImmediateHttpResponse(redirect(url_name)) from None
        # allauth continues with its own instance of the user.
        user.phone_sealed, user.phone_index = updated.phone_sealed, updated.phone_index
        user.phone_verified_at = updated.phone_verified_at

    def post_login(self, request: HttpRequest, user: User, **hook: Any) -> HttpResponse:
        """Record the sign-in, after all steps are complete."""
        response: HttpResponse = super().post_login(request, user, **hook)
        agent = request.headers.get("user-agent", "")
        devices.record_sign_in(user.id, agent, by=Actor.system("sign-in"), at=clock.live_now())
        return response

    def send_verification_code_sms(self, user: User, phone: str, code: str, **_kwargs: Any) -> None:
        """Send a code; to unconfirmed numbers within their quota.

        Raises:
            RateLimited: the quota is used up.
            ImmediateHttpResponse: it could not be sent.
        """
        if user.phone_verified_at is None:
            self._require_stranger_quota()
        with translation.override(user.language):
            text = _(
                "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our"
                " staff will never ask for it."
            )
            self._send(
                phone, text % {"code": code, "minutes": settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT // SECONDS_A_MINUTE}
            )

    def send_unknown_account_sms(self, phone: str, **_kwargs: Any) -> None:
        """Send a text about the missing account, within the quota for unconfirmed numbers.

        Without quota nothing is sent, and the page looks the same, so that it reveals nothing about the number.

        Raises:
            ImmediateHttpResponse: it could not be sent; a code could not have been either.
        """
        if not sms_limits.take_stranger_quota():
            return
        text = _(
            "Someone tried to sign in with this number, but it has no account yet. If it was you, sign up: %(url)s"
        )
        self._send(phone, text % {"url": settings.BASE_URL + reverse("account_signup")})

    def send_account_already_exists_sms(self, phone: str) -> None:
        """Send this instead of a first code, within the same quota, or the limit would reveal who has an account.

        Raises:
            RateLimited: the quota is used up.
            ImmediateHttpResponse: it could not be sent; a code could not have been either.
        """
        self._require_stranger_quota()
        text = _(
            "Someone tried to sign up with this number, but it already has an account. If it was you, sign in: %(url)s"
        )
        self._send(phone, text % {"url": settings.BASE_URL + reverse("account_login")})

    def _send(self, phone: str, text: str) -> None:
        if not messaging.try_send(messaging.send_text, phone, text):
            raise ImmediateHttpResponse(render(self.request, "account/not_sent.html", status=503))

    def _require_stranger_quota(self) -> None:
        if not sms_limits.take_stranger_quota():
            raise RateLimited


def display_name(user: User) -> str:
    """The name of a user on pages: the username, or the masked phone number."""
    return user.username or user.phone_masked
