"""Row action that determines the outcome of a deduction that has been unknown for days, on evidence."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.order_actions import always_needs_approval
from billing.models import Deduction
from billing.services import manual_resolution
from kernel.actor import Actor
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from kernel.templatetags.formatting import money, plain_datetime

TAKEN, NOT_TAKEN = "taken", "not_taken"


class OutcomeForm(ReasonForm):
    """The outcome, and the evidence for it."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("Deduction result"),
        choices=[
            ("", "–"),
            (TAKEN, gettext_lazy("Deducted by the channel")),
            (NOT_TAKEN, gettext_lazy("Not deducted by the channel, and never will be under this number")),
        ],
    )
    txn = forms.CharField(
        label=gettext_lazy("Channel transaction no."),
        max_length=manual_resolution.TXN_MAX,
        required=False,
        help_text=gettext_lazy("Channel transaction number, if deducted."),
    )
    evidence = forms.CharField(
        label=gettext_lazy("Evidence"),
        max_length=manual_resolution.EVIDENCE_MAX,
        help_text=gettext_lazy("Who confirmed it, when and where it can be verified: a letter, statement or ticket."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("outcome") == TAKEN and not found.get("txn", "").strip():
            self.add_error("txn", _("A channel transaction number is required if the money was deducted."))
        if found.get("outcome") == NOT_TAKEN and found.get("txn", "").strip():
            self.add_error("txn", _("Leave the transaction number empty if nothing was deducted."))
        return found


def _is_unknown(row: Deduction) -> bool:
    return bool(row.state == Deduction.State.UNKNOWN)


def _preview(row: Deduction, at: datetime) -> StrOrPromise:
    manual_resolution.require_resolvable(row, at=at)
    text = _(
        "Since %(since)s it is unknown whether %(amount)s was deducted through %(channel)s. Your decision is"
        " treated as the channel's answer. If the channel later says otherwise, a case is opened and the money goes"
        " to suspense."
    )
    return text % {"since": plain_datetime(row.sent_at), "amount": money(row.amount), "channel": row.channel}


def _resolve(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    manual_resolution.resolve_unknown(
        key, txn=data["txn"], evidence=data["evidence"], reason=data["note"], by=by, at=at
    )
    return _("The result has been recorded.")


def _posting_filter(row: Deduction) -> Q:
    return Q(order_id__in=row.lines.values("order_id"))


ROW_ACTIONS = [
    RowAction(
        "resolve",
        Deduction,
        gettext_lazy("Determine result"),
        ("finance", "supervisor"),
        _preview,
        _resolve,
        OutcomeForm,
        applies_to=_is_unknown,
        posting_filter=_posting_filter,
        needs_approval=always_needs_approval,
        approvers=("finance", "supervisor"),
    )
]
