"""/settings/confirm and /settings/phone: who sits here shows once more who they are; and another phone number."""

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

from accounts import devices, notices, passkeys, phones, proofs, refusals, rules, second_factor, texts
from accounts.pages.reach import Code
from accounts.pages.second import afresh
from accounts.second_step import TOO_MANY, judged
from accounts.visitor import Visitor, for_person, way_back
from kernel import clock
from kernel.console_actions import show_errors
from kernel.models import LIVE
from kernel.refusal import Refusal

log = structlog.get_logger(__name__)
_FORM = require_http_methods(["GET", "HEAD", "POST"])
_CONFIRM, _PHONE = "confirm", "phone"
_MINUTES = int(proofs.GOOD_FOR.total_seconds()) // 60


class Number(forms.Form):
    """Where codes go from now on."""

    phone = forms.CharField(
        label=gettext_lazy("New phone number"),
        max_length=rules.PHONE_LENGTH_MAX,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "138 0013 8000"}),
    )


@_FORM
@for_person
def confirm(visitor: Visitor) -> HttpResponse:
    """The second factor once more, or for who has none a code to their phone."""
    held = second_factor.of(visitor.user)
    return _by_factor(visitor, held) if held.on else _by_phone(visitor)


@_FORM
@afresh
def phone(visitor: Visitor) -> HttpResponse:
    """A number is typed, a code goes there, the code comes back: from then on it signs in, and the old one does not."""
    request, moment = visitor.request, clock.live_now()
    if request.method == "POST" and "another" in request.POST:
        proofs.forget(request.session, _PHONE)
        return redirect("phone")
    typed = Number(request.POST if "phone" in request.POST else None)
    code = Code(request.POST if "code" in request.POST else None)
    if typed.is_bound and typed.is_valid() and _sends(visitor, typed):
        return redirect("phone")
    if code.is_bound and code.is_valid() and (number := _came_back(visitor, _PHONE, code)):
        try:
            return _changed(visitor, number)
        except Refusal as refusal:
            show_errors(code, refusal)
    waiting = proofs.waits_for(request.session, _PHONE, at=moment)
    return visitor.show(
        "accounts/phone.html",
        status=422 if typed.errors or code.errors else 200,
        waiting=waiting,
        form=typed if typed.is_bound or not waiting else code,
        lost=bool(code.errors) and not waiting,
    )


def _by_factor(visitor: Visitor, held: second_factor.Held) -> HttpResponse:
    form, shown, wrong = judged(visitor.request, visitor.user, held)
    if shown is not None:
        post_authentication(visitor.request, shown, reauthenticated=True)
        return _on(visitor)
    options = held.passkeys and passkeys.request(visitor.user)
    status = 422 if form.errors or wrong else 200
    return visitor.show("accounts/confirm.html", status=status, form=form, held=held, wrong=wrong, options=options)


def _by_phone(visitor: Visitor) -> HttpResponse:
    request, form = visitor.request, Code(visitor.request.POST if "code" in visitor.request.POST else None)
    if request.method == "POST" and not form.is_bound:
        number = visitor.user.reveal_phone()
        if number is None or not _may_send(visitor, number):
            messages.warning(request, str(TOO_MANY))
        elif not _text(visitor, number, proofs.begin(request.session, _CONFIRM, number, at=clock.live_now())):
            proofs.forget(request.session, _CONFIRM)
            messages.warning(request, str(notices.NOT_SENT))
        return redirect(request.get_full_path())
    if form.is_bound and form.is_valid() and _came_back(visitor, _CONFIRM, form):
        record_authentication(request, visitor.user, method="code", reauthenticated=True)
        return _on(visitor)
    waiting = proofs.waits_for(request.session, _CONFIRM, at=clock.live_now())
    return visitor.show("accounts/confirm_phone.html", status=422 if form.errors else 200, form=form, waiting=waiting)


def _on(visitor: Visitor) -> HttpResponse:
    return redirect(way_back(visitor.request, visitor.request.GET.get("next"), otherwise="settings"))


def _came_back(visitor: Visitor, purpose: str, form: Code) -> str | None:
    if not ratelimit.consume(visitor.request, action="reauthenticate", user=visitor.user):
        form.add_error(None, TOO_MANY)
        return None
    to = proofs.comes_back(visitor.request.session, purpose, form.cleaned_data["code"], at=clock.live_now())
    if to is None:
        form.add_error("code", _("The code is incorrect or has expired."))
    return to


def _sends(visitor: Visitor, form: Number) -> bool:
    """Whether a number belongs to somebody else shows on that phone only."""
    number = rules.phone_in_e164(form.cleaned_data["phone"])
    if number is None:
        form.add_error("phone", str(refusals.InvalidPhone.title))
    elif not texts.reaches(number):
        form.add_error("phone", str(texts.NOT_THERE))
    elif number == visitor.user.reveal_phone():
        form.add_error("phone", _("This is already your phone number."))
    elif not (_may_send(visitor, number) and _may_be_a_stranger(visitor)):
        form.add_error(None, TOO_MANY)
    elif not _begins(visitor, number):
        form.add_error(None, notices.NOT_SENT)
    else:
        return True
    return False


def _begins(visitor: Visitor, number: str) -> bool:
    """Whether a code is on its way to this number, or to whom it belongs what keeps it theirs."""
    code = proofs.begin(visitor.request.session, _PHONE, number, at=clock.live_now())
    if phones.is_taken(number):
        said = _(
            "Someone tried to link this number to another account, but it already has its own. If it was you, sign in:"
            " %(url)s"
        )
        sent = _send(visitor, number, said % {"url": settings.BASE_URL + reverse("account_login")})
    else:
        sent = _text(visitor, number, code)
    if not sent:
        proofs.forget(visitor.request.session, _PHONE)
    return sent


def _may_be_a_stranger(visitor: Visitor) -> bool:
    """Whoever is signed in may type any number: what is sent there counts as to a stranger, whosever it is."""
    return visitor.person.realm_id != LIVE or texts.room_for_a_stranger()


def _may_send(visitor: Visitor, number: str) -> bool:
    """The same limits as for the codes of a sign-in: by address, and by number."""
    return bool(ratelimit.consume(visitor.request, action="request_login_code", key=number))


def _text(visitor: Visitor, number: str, code: str) -> bool:
    with translation.override(visitor.language):
        text = _(
            "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our staff"
            " will never ask for it."
        )
        return _send(visitor, number, text % {"code": code, "minutes": _MINUTES})


def _send(visitor: Visitor, number: str, text: str) -> bool:
    """Whether a text to a number somebody typed went out. Out of a sandbox none leaves."""
    send = notices.send_text if visitor.person.realm_id == LIVE else notices.keep_text_at_home
    return notices.goes_out(send, number, text)


def _changed(visitor: Visitor, number: str) -> HttpResponse:
    request, moment = visitor.request, clock.live_now()
    before = visitor.user.reveal_phone()
    phones.change_phone(visitor.user.id, number, by=visitor.actor, at=moment)
    devices.sign_out_others(visitor.user.id, session_key=request.session.session_key, by=visitor.actor, at=moment)
    if before:
        _tell_before(visitor, before, number)
    messages.success(
        request, _("Phone number changed. Sign in with the new number from now on; all other devices were signed out.")
    )
    return redirect("settings")


def _tell_before(visitor: Visitor, before: str, number: str) -> None:
    """The number until now hears it once; nothing of the change waits for that text."""
    with translation.override(visitor.language):
        said = _(
            "Your account's phone number was changed to %(phone)s. If this was not you, contact customer support"
            " immediately."
        )
        if not _send(visitor, before, said % {"phone": rules.masked_phone(number)}):
            log.error("number_before_not_told", person=visitor.person.public_id)
