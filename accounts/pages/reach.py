"""/settings/notices and /settings/mail: what a person hears by which way, when they rest, and where they read mail."""

from typing import Any

from allauth.core import ratelimit
from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import notices, proofs, reach, wording
from accounts.visitor import Visitor, for_person
from kernel import clock
from kernel.console_actions import show_errors
from kernel.models import LIVE
from kernel.refusal import Refusal

_FORM = require_http_methods(["GET", "HEAD", "POST"])
_MAIL = "mail"
_MINUTES = int(proofs.GOOD_FOR.total_seconds()) // 60
_KINDS: dict[str, str | Promise] = {
    "due_in_3_days": gettext_lazy("Payment due in three days"),
    "debit_succeeded": gettext_lazy("Deduction succeeded"),
    "refund_succeeded": gettext_lazy("Refund received"),
    "help_answered": gettext_lazy("Reply to your request"),
    "signed_in": gettext_lazy("Sign-in from a new device"),
}
_WAYS: dict[str, str | Promise] = {"sms": gettext_lazy("Text message"), "mail": gettext_lazy("Email")}


class Address(forms.Form):
    """Where mail goes."""

    address = forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=reach.MAIL_LENGTH_MAX,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class Code(forms.Form):
    """The digits that were sent."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@_FORM
@for_person
def told(visitor: Visitor) -> HttpResponse:
    """What also comes by text and mail, and when the phone stays silent."""
    person = visitor.person
    ways = ["sms", "mail"] if person.mail_sealed else ["sms"]
    shown = {stage: [way for way in ways if f"{stage}:{way}" in reach.OPTIONAL] for stage in wording.OPTIONAL}
    if visitor.request.method == "POST":
        offered = {f"{stage}:{way}" for stage, some in shown.items() for way in some}
        silenced = (offered - set(visitor.request.POST.getlist("want"))) | (set(person.silenced) - offered)
        hours = (_hour(visitor.sent("wake")), _hour(visitor.sent("rest")))
        reach.choose_notices(person.id, silenced, hours, by=visitor.actor, at=clock.live_now())
        messages.success(visitor.request, _("Notification settings saved."))
        return redirect("told")
    kinds = [
        (_KINDS[stage], [(f"{stage}:{way}", _WAYS[way], f"{stage}:{way}" not in person.silenced) for way in some])
        for stage, some in shown.items()
        if some
    ]
    return visitor.show(
        "accounts/told.html",
        kinds=kinds,
        wake=[(hour, hour == person.wake_hour) for hour in range(wording.WAKE_HOUR, wording.WAKE_HOUR_MAX + 1)],
        rest=[(hour, hour == person.rest_hour) for hour in range(wording.REST_HOUR_MIN, wording.REST_HOUR + 1)],
    )


@_FORM
@for_person
def mail(visitor: Visitor) -> HttpResponse:
    """An address is typed, a code goes there, the code comes back: from then on it counts."""
    session, moment = visitor.request.session, clock.live_now()
    waiting = proofs.waits_for(session, _MAIL, at=moment)
    given: Any = visitor.request.POST if visitor.request.method == "POST" else None
    typed = Address(given) if given is not None and "address" in given else Address()
    code = Code(given) if given is not None and "code" in given else Code()
    if typed.is_bound and typed.is_valid() and _sends(visitor, typed):
        return redirect("mail")
    if code.is_bound and code.is_valid() and _proves(visitor, code):
        return redirect("settings")
    if code.is_bound:
        waiting = proofs.waits_for(session, _MAIL, at=moment)
    return visitor.show(
        "accounts/mail.html",
        status=422 if typed.errors or code.errors else 200,
        waiting=waiting,
        form=typed if typed.is_bound or not waiting else code,
        lost=bool(code.errors) and not waiting,
    )


@require_POST
@for_person
def another_mail(visitor: Visitor) -> HttpResponse:
    """The code is not waited for any more."""
    proofs.forget(visitor.request.session, _MAIL)
    return redirect("mail")


@require_POST
@for_person
def forget_mail(visitor: Visitor) -> HttpResponse:
    reach.forget_mail(visitor.person.id, by=visitor.actor, at=clock.live_now())
    messages.success(visitor.request, _("Email removed. We will no longer email you."))
    return redirect("settings")


def _sends(visitor: Visitor, form: Address) -> bool:
    try:
        address = reach.clean_mail(form.cleaned_data["address"])
    except Refusal as refusal:
        show_errors(form, refusal)
        return False
    if not ratelimit.consume(visitor.request, action="manage_email", user=visitor.request.user):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return False
    code = proofs.begin(visitor.request.session, _MAIL, address, at=clock.live_now())
    send = notices.send_mail if visitor.person.realm_id == LIVE else notices.keep_mail_at_home
    with translation.override(visitor.language):
        text = _(
            "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our staff"
            " will never ask for it."
        )
        text %= {"code": code, "minutes": _MINUTES}
        sent = notices.goes_out(send, address, str(_("Your verification code")), text)
    if not sent:
        proofs.forget(visitor.request.session, _MAIL)
        form.add_error(None, notices.NOT_SENT)
    return sent


def _proves(visitor: Visitor, form: Code) -> bool:
    if not ratelimit.consume(visitor.request, action="reauthenticate", user=visitor.request.user):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return False
    moment = clock.live_now()
    address = proofs.comes_back(visitor.request.session, _MAIL, form.cleaned_data["code"], at=moment)
    if address is None:
        form.add_error("code", _("The code is incorrect or has expired."))
        return False
    reach.take_mail(visitor.person.id, address, by=visitor.actor, at=moment)
    messages.success(visitor.request, _("Email verified. Notices will be sent there, too."))
    return True


def _hour(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len("24") else -1
