"""/settings/confirm and /settings/phone: verify the person again, and change the phone number."""

import structlog
from allauth.account.internal.flows.login import record_authentication
from allauth.core import ratelimit
from allauth.mfa.base.internal.flows import post_authentication
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts import (
    devices,
    messaging,
    passkeys,
    phones,
    refusals,
    rules,
    second_factor,
    sms_limits,
    verification_codes,
)
from accounts.pages.notification_settings import CodeForm
from accounts.pages.second_factor import recently_verified_page
from accounts.second_factor_form import TOO_MANY_ATTEMPTS, check_submitted_factor
from accounts.visitor import Visitor, person_page, safe_redirect_url
from kernel import clock
from kernel.console_actions import add_errors
from kernel.models import LIVE
from kernel.refusal import Refusal

log = structlog.get_logger(__name__)
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_CONFIRM, _PHONE = "confirm", "phone"
_MINUTES = int(verification_codes.CODE_LIFETIME.total_seconds()) // 60


class PhoneForm(forms.Form):
    """The new phone number."""

    phone = forms.CharField(
        label=gettext_lazy("New phone number"),
        max_length=rules.PHONE_LENGTH_MAX,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "138 0013 8000"}),
    )


@_FORM
@person_page
def confirm_identity(visitor: Visitor) -> HttpResponse:
    """Verify the person by second factor, or without one by a code sent to their phone."""
    factors = second_factor.factors_of(visitor.user)
    return _by_factor(visitor, factors) if factors.is_enabled else _by_phone(visitor)


@_FORM
@recently_verified_page
def change_phone(visitor: Visitor) -> HttpResponse:
    """Enter a new number, then the code that was sent to it; the change takes effect with the right code."""
    request, now = visitor.request, clock.live_now()
    if request.method == "POST" and "another" in request.POST:
        verification_codes.discard_code(request.session, _PHONE)
        return redirect("phone")
    phone_form = PhoneForm(request.POST if "phone" in request.POST else None)
    code_form = CodeForm(request.POST if "code" in request.POST else None)
    if phone_form.is_bound and phone_form.is_valid() and _send_code_to_new_phone(visitor, phone_form):
        return redirect("phone")
    if code_form.is_bound and code_form.is_valid() and (number := _verify_code(visitor, _PHONE, code_form)):
        try:
            return _save_phone(visitor, number)
        except Refusal as refusal:
            add_errors(code_form, refusal)
    pending = verification_codes.pending_recipient(request.session, _PHONE, at=now)
    return visitor.render(
        "accounts/phone.html",
        status=422 if phone_form.errors or code_form.errors else 200,
        waiting=pending,
        form=phone_form if phone_form.is_bound or not pending else code_form,
        lost=bool(code_form.errors) and not pending,
    )


def _by_factor(visitor: Visitor, factors: second_factor.SecondFactors) -> HttpResponse:
    form, factor, error = check_submitted_factor(visitor.request, visitor.user, factors)
    if factor is not None:
        post_authentication(visitor.request, factor, reauthenticated=True)
        return _redirect_back(visitor)
    options = factors.passkeys and passkeys.authentication_options(visitor.user)
    status = 422 if form.errors or error else 200
    return visitor.render(
        "accounts/confirm.html", status=status, form=form, factors=factors, wrong=error, options=options
    )


def _by_phone(visitor: Visitor) -> HttpResponse:
    request, form = visitor.request, CodeForm(visitor.request.POST if "code" in visitor.request.POST else None)
    if request.method == "POST" and not form.is_bound:
        number = visitor.user.reveal_phone()
        if number is None or not _within_send_limit(visitor, number):
            messages.warning(request, str(TOO_MANY_ATTEMPTS))
        elif not _send_code(
            visitor, number, verification_codes.issue_code(request.session, _CONFIRM, number, at=clock.live_now())
        ):
            verification_codes.discard_code(request.session, _CONFIRM)
            messages.warning(request, str(messaging.SEND_FAILED))
        return redirect(request.get_full_path())
    if form.is_bound and form.is_valid() and _verify_code(visitor, _CONFIRM, form):
        record_authentication(request, visitor.user, method="code", reauthenticated=True)
        return _redirect_back(visitor)
    pending = verification_codes.pending_recipient(request.session, _CONFIRM, at=clock.live_now())
    return visitor.render("accounts/confirm_phone.html", status=422 if form.errors else 200, form=form, waiting=pending)


def _redirect_back(visitor: Visitor) -> HttpResponse:
    return redirect(safe_redirect_url(visitor.request, visitor.request.GET.get("next"), fallback="settings"))


def _verify_code(visitor: Visitor, purpose: str, form: CodeForm) -> str | None:
    if not ratelimit.consume(visitor.request, action="reauthenticate", user=visitor.user):
        form.add_error(None, TOO_MANY_ATTEMPTS)
        return None
    to = verification_codes.verify_code(
        visitor.request.session, purpose, form.cleaned_data["code"], at=clock.live_now()
    )
    if to is None:
        form.add_error("code", _("The code is incorrect or has expired."))
    return to


def _send_code_to_new_phone(visitor: Visitor, form: PhoneForm) -> bool:
    """Send a code to the new number, or add an error to the form. The page never reveals if it has an account."""
    number = rules.parse_phone(form.cleaned_data["phone"])
    if number is None:
        form.add_error("phone", str(refusals.InvalidPhone.title))
    elif not sms_limits.can_text(number):
        form.add_error("phone", str(sms_limits.UNSUPPORTED_COUNTRY))
    elif number == visitor.user.reveal_phone():
        form.add_error("phone", _("This is already your phone number."))
    elif not (_within_send_limit(visitor, number) and _take_stranger_quota(visitor)):
        form.add_error(None, TOO_MANY_ATTEMPTS)
    elif not _start_phone_change(visitor, number):
        form.add_error(None, messaging.SEND_FAILED)
    else:
        return True
    return False


def _start_phone_change(visitor: Visitor, number: str) -> bool:
    """Send a code to the number, or a warning if it has an account. Returns whether the message was sent."""
    code = verification_codes.issue_code(visitor.request.session, _PHONE, number, at=clock.live_now())
    if phones.is_taken(number):
        text = _(
            "Someone tried to link this number to another account, but it already has its own. If it was you, sign in:"
            " %(url)s"
        )
        sent = _send_text(visitor, number, text % {"url": settings.BASE_URL + reverse("account_login")})
    else:
        sent = _send_code(visitor, number, code)
    if not sent:
        verification_codes.discard_code(visitor.request.session, _PHONE)
    return sent


def _take_stranger_quota(visitor: Visitor) -> bool:
    """Use the quota for unconfirmed numbers, as a signed-in person may enter any number."""
    return visitor.person.realm_id != LIVE or sms_limits.take_stranger_quota()


def _within_send_limit(visitor: Visitor, number: str) -> bool:
    """Apply the rate limits of sign-in codes: by IP address, and by number."""
    return bool(ratelimit.consume(visitor.request, action="request_login_code", key=number))


def _send_code(visitor: Visitor, number: str, code: str) -> bool:
    with translation.override(visitor.language):
        text = _(
            "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our staff"
            " will never ask for it."
        )
        return _send_text(visitor, number, text % {"code": code, "minutes": _MINUTES})


def _send_text(visitor: Visitor, number: str, text: str) -> bool:
    """Send a text message; in a sandbox it is stored instead. Returns whether that succeeded."""
    send = messaging.send_text if visitor.person.realm_id == LIVE else messaging.store_sandbox_text
    return messaging.try_send(send, number, text)


def _save_phone(visitor: Visitor, number: str) -> HttpResponse:
    request, now = visitor.request, clock.live_now()
    old_number = visitor.user.reveal_phone()
    phones.change_phone(visitor.user.id, number, by=visitor.actor, at=now)
    devices.sign_out_others(visitor.user.id, session_key=request.session.session_key, by=visitor.actor, at=now)
    if old_number:
        _notify_old_number(visitor, old_number, number)
    messages.success(
        request, _("Phone number changed. Sign in with the new number from now on; all other devices were signed out.")
    )
    return redirect("settings")


def _notify_old_number(visitor: Visitor, old_number: str, number: str) -> None:
    """Inform the old number of the change; a failure is only logged."""
    with translation.override(visitor.language):
        text = _(
            "Your account's phone number was changed to %(phone)s. If this was not you, contact customer support"
            " immediately."
        )
        if not _send_text(visitor, old_number, text % {"phone": rules.mask_phone(number)}):
            log.error("number_before_not_told", person=visitor.person.public_id)
