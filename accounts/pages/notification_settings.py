"""/settings/notices and /settings/mail: silenced notices, quiet hours, and the email address."""

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

from accounts import messaging, notice_rules, notification_settings, verification_codes
from accounts.visitor import Visitor, person_page
from kernel import clock
from kernel.console_actions import add_errors
from kernel.models import LIVE
from kernel.refusal import Refusal

_FORM = require_http_methods(["GET", "HEAD", "POST"])
_MAIL = "mail"
_MINUTES = int(verification_codes.CODE_LIFETIME.total_seconds()) // 60
_STAGE_LABELS: dict[str, str | Promise] = {
    "due_in_3_days": gettext_lazy("Payment due in three days"),
    "debit_succeeded": gettext_lazy("Deduction succeeded"),
    "refund_succeeded": gettext_lazy("Refund received"),
    "help_answered": gettext_lazy("Reply to your request"),
    "signed_in": gettext_lazy("Sign-in from a new device"),
}
_CHANNEL_LABELS: dict[str, str | Promise] = {"sms": gettext_lazy("Text message"), "mail": gettext_lazy("Email")}


class MailForm(forms.Form):
    """The new email address."""

    address = forms.EmailField(
        label=gettext_lazy("Email address"),
        max_length=notification_settings.MAIL_LENGTH_MAX,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


class CodeForm(forms.Form):
    """The verification code that was sent."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@_FORM
@person_page
def notification_settings_page(visitor: Visitor) -> HttpResponse:
    """Choose which notices are also sent by text message and email, and the quiet hours."""
    person = visitor.person
    channels = ["sms", "mail"] if person.mail_sealed else ["sms"]
    optional_channels = {
        stage: [channel for channel in channels if f"{stage}:{channel}" in notification_settings.OPTIONAL_COPIES]
        for stage in notice_rules.OPTIONAL_STAGES
    }
    if visitor.request.method == "POST":
        offered = {f"{stage}:{channel}" for stage, some in optional_channels.items() for channel in some}
        silenced = (offered - set(visitor.request.POST.getlist("want"))) | (set(person.silenced) - offered)
        hours = (_parse_hour(visitor.posted("wake")), _parse_hour(visitor.posted("rest")))
        notification_settings.change_settings(person.id, silenced, hours, by=visitor.actor, at=clock.live_now())
        messages.success(visitor.request, _("Notification settings saved."))
        return redirect("notification_settings")
    kinds = [
        (
            _STAGE_LABELS[stage],
            [
                (f"{stage}:{channel}", _CHANNEL_LABELS[channel], f"{stage}:{channel}" not in person.silenced)
                for channel in some
            ],
        )
        for stage, some in optional_channels.items()
        if some
    ]
    return visitor.render(
        "accounts/notification_settings.html",
        kinds=kinds,
        wake=[
            (hour, hour == person.wake_hour) for hour in range(notice_rules.WAKE_HOUR, notice_rules.WAKE_HOUR_MAX + 1)
        ],
        rest=[
            (hour, hour == person.rest_hour) for hour in range(notice_rules.REST_HOUR_MIN, notice_rules.REST_HOUR + 1)
        ],
    )


@_FORM
@person_page
def change_mail(visitor: Visitor) -> HttpResponse:
    """Enter a new address, then the code that was sent to it; the change takes effect with the right code."""
    session, now = visitor.request.session, clock.live_now()
    pending = verification_codes.pending_recipient(session, _MAIL, at=now)
    posted: Any = visitor.request.POST if visitor.request.method == "POST" else None
    mail_form = MailForm(posted) if posted is not None and "address" in posted else MailForm()
    code_form = CodeForm(posted) if posted is not None and "code" in posted else CodeForm()
    if mail_form.is_bound and mail_form.is_valid() and _send_code(visitor, mail_form):
        return redirect("mail")
    if code_form.is_bound and code_form.is_valid() and _verify_code(visitor, code_form):
        return redirect("settings")
    if code_form.is_bound:
        pending = verification_codes.pending_recipient(session, _MAIL, at=now)
    return visitor.render(
        "accounts/mail.html",
        status=422 if mail_form.errors or code_form.errors else 200,
        waiting=pending,
        form=mail_form if mail_form.is_bound or not pending else code_form,
        lost=bool(code_form.errors) and not pending,
    )


@require_POST
@person_page
def cancel_mail_code(visitor: Visitor) -> HttpResponse:
    """Discard the pending code."""
    verification_codes.discard_code(visitor.request.session, _MAIL)
    return redirect("mail")


@require_POST
@person_page
def remove_mail(visitor: Visitor) -> HttpResponse:
    notification_settings.remove_mail_address(visitor.person.id, by=visitor.actor, at=clock.live_now())
    messages.success(visitor.request, _("Email removed. We will no longer email you."))
    return redirect("settings")


def _send_code(visitor: Visitor, form: MailForm) -> bool:
    try:
        address = notification_settings.validate_mail(form.cleaned_data["address"])
    except Refusal as refusal:
        add_errors(form, refusal)
        return False
    if not ratelimit.consume(visitor.request, action="manage_email", user=visitor.request.user):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return False
    code = verification_codes.issue_code(visitor.request.session, _MAIL, address, at=clock.live_now())
    send = messaging.send_mail if visitor.person.realm_id == LIVE else messaging.store_sandbox_mail
    with translation.override(visitor.language):
        text = _(
            "Your verification code is %(code)s, valid for %(minutes)d minutes. Do not share it with anyone; our staff"
            " will never ask for it."
        )
        text %= {"code": code, "minutes": _MINUTES}
        sent = messaging.try_send(send, address, str(_("Your verification code")), text)
    if not sent:
        verification_codes.discard_code(visitor.request.session, _MAIL)
        form.add_error(None, messaging.SEND_FAILED)
    return sent


def _verify_code(visitor: Visitor, form: CodeForm) -> bool:
    if not ratelimit.consume(visitor.request, action="reauthenticate", user=visitor.request.user):
        form.add_error(None, _("Too many attempts. Wait a few minutes and try again."))
        return False
    now = clock.live_now()
    address = verification_codes.verify_code(visitor.request.session, _MAIL, form.cleaned_data["code"], at=now)
    if address is None:
        form.add_error("code", _("The code is incorrect or has expired."))
        return False
    notification_settings.set_mail_address(visitor.person.id, address, by=visitor.actor, at=now)
    messages.success(visitor.request, _("Email verified. Notices will be sent there, too."))
    return True


def _parse_hour(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len("24") else -1
