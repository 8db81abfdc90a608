"""The door through which django-allauth reaches us: phones in our sealed columns, codes by our sender, our clock."""

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

from accounts import devices, notices, refusals, rules, services, texts
from accounts.models import User
from kernel import clock
from kernel.actor import Actor

SECONDS_A_MINUTE = 60


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed
    """People sign up and in by phone and code. Whether a number is known shows on that phone only, on no page."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "incorrect_code": gettext_lazy("The code is incorrect or has expired."),
    }

    def phone_form_field(self, **kwargs: Any) -> Any:
        """A number as people write it; `clean_phone` is what judges it."""
        widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "138 0013 8000"})
        label = gettext_lazy("Phone number")
        return PhoneField(
            **{**kwargs, "label": label, "widget": widget, "validators": [], "max_length": rules.PHONE_LENGTH_MAX}
        )

    def clean_phone(self, phone: str) -> str:
        number = rules.phone_in_e164(phone)
        if number is None:
            raise forms.ValidationError(refusals.InvalidPhone.title, code=refusals.InvalidPhone.code)
        if not texts.reaches(number):
            raise forms.ValidationError(texts.NOT_THERE, code=refusals.InvalidPhone.code)
        return number

    def save_user(self, request: HttpRequest, user: User, form: forms.Form, commit: bool = True) -> User:  # noqa: ARG002, FBT001, FBT002  allauth's signature
        phone = form.cleaned_data["phone"]
        try:
            return services.sign_up(phone, by=Actor.system("sign-up"), at=clock.live_now())
        except refusals.PhoneTaken:
            # Somebody was faster by milliseconds: answer as for any number that has an account.
            raise ImmediateHttpResponse(prevent_enumeration(request, phone=phone)) from None

    def get_user_by_phone(self, phone: str) -> User | None:
        return User.objects.with_phone(phone)

    def get_phone(self, user: User) -> tuple[str, bool] | None:
        phone = user.reveal_phone()
        return None if phone is None else (phone, user.phone_verified_at is not None)

    def set_phone(self, user: User, phone: str, verified: bool) -> None:  # noqa: FBT001  allauth's signature
        """A number counts once its code came back; until then it is the running session's own affair."""
        if verified:
            self.set_phone_verified(user, phone)

    def set_phone_verified(self, user: User, phone: str) -> None:
        """The code came back. If the number is no longer theirs by then, whoever has it signs in nowhere.

        Raises:
            ImmediateHttpResponse: that is so, or the account is closed.
        """
        try:
            known = services.confirm_phone(user.id, phone, by=Actor.system("sign-in"), at=clock.live_now())
        except refusals.NotTheirPhone:
            clear_login(self.request)
            messages.warning(self.request, self.error_messages["incorrect_code"])
            there = "account_login" if user.is_active else "account_inactive"
            raise ImmediateHttpResponse(redirect(there)) from None
        # allauth goes on with the instance it holds, and asks it again.
        user.phone_sealed, user.phone_index = known.phone_sealed, known.phone_index
        user.phone_verified_at = known.phone_verified_at

    def post_login(self, request: HttpRequest, user: User, **hook: Any) -> HttpResponse:
        """Every step was taken: they are in."""
        answer: HttpResponse = super().post_login(request, user, **hook)
        agent = request.headers.get("user-agent", "")
        devices.note_sign_in(user.id, agent, by=Actor.system("sign-in"), at=clock.live_now())
        return answer

    def send_verification_code_sms(self, user: User, phone: str, code: str, **_kwargs: Any) -> None:
        """A code, to whoever has confirmed the number before, or to a stranger if there is room for one more.

        Raises:
            RateLimited: there is none.
            ImmediateHttpResponse: it did not go out.
        """
        if user.phone_verified_at is None:
            self._as_to_a_stranger()
        with translation.override(user.language):
            text = _(
                "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our"
                " staff will never ask for it."
            )
            self._send(
                phone, text % {"code": code, "minutes": settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT // SECONDS_A_MINUTE}
            )

    def send_unknown_account_sms(self, phone: str, **_kwargs: Any) -> None:
        """Without room nothing is sent, and whoever asks sees what they always see: it tells nothing of the number.

        Raises:
            ImmediateHttpResponse: it did not go out, as no code would have.
        """
        if not texts.room_for_a_stranger():
            return
        text = _(
            "Someone tried to sign in with this number, but it has no account yet. If it was you, sign up: %(url)s"
        )
        self._send(phone, text % {"url": settings.BASE_URL + reverse("account_signup")})

    def send_account_already_exists_sms(self, phone: str) -> None:
        """Instead of a first code, and bounded as those are: or the bound would tell who has an account.

        Raises:
            RateLimited: there is no room for one more.
            ImmediateHttpResponse: it did not go out, as no code would have.
        """
        self._as_to_a_stranger()
        text = _(
            "Someone tried to sign up with this number, but it already has an account. If it was you, sign in: %(url)s"
        )
        self._send(phone, text % {"url": settings.BASE_URL + reverse("account_login")})

    def _send(self, phone: str, text: str) -> None:
        if not notices.goes_out(notices.send_text, phone, text):
            raise ImmediateHttpResponse(render(self.request, "account/not_sent.html", status=503))

    def _as_to_a_stranger(self) -> None:
        if not texts.room_for_a_stranger():
            raise RateLimited


def shown_name(user: User) -> str:
    """How somebody is addressed on pages: a colleague by username, a person by masked phone."""
    return user.username or user.phone_masked
