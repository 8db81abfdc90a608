"""A deduction of which no channel could say for days how it ended: colleagues say it, on evidence."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.orders import always
from billing.models import Deduction
from billing.services import resolve
from kernel.actor import Actor
from kernel.console_actions import Verb, VerbForm, Words
from kernel.templatetags.house import money, written

TAKEN, NOT_TAKEN = "taken", "not_taken"


class WordForm(VerbForm):
    """How it ended, and how that is known."""

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
        max_length=resolve.TXN_MAX,
        required=False,
        help_text=gettext_lazy("Channel transaction number, if deducted."),
    )
    evidence = forms.CharField(
        label=gettext_lazy("Evidence"),
        max_length=resolve.EVIDENCE_MAX,
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


def _before(row: Deduction, at: datetime) -> Words:
    resolve.sayable(row, at=at)
    says = _(
        "Since %(since)s it is unknown whether %(amount)s was deducted through %(channel)s. Your decision is"
        " treated as the channel's answer. If the channel later says otherwise, a case is opened and the money goes"
        " to suspense."
    )
    return says % {"since": written(row.sent_at), "amount": money(row.amount), "channel": row.channel}


def _say(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    resolve.resolve_unknown(key, txn=wish["txn"], evidence=wish["evidence"], reason=wish["note"], by=by, at=at)
    return _("The result has been recorded.")


def _books(row: Deduction) -> Q:
    return Q(order_id__in=row.lines.values("order_id"))


VERBS = [
    Verb(
        "resolve",
        Deduction,
        gettext_lazy("Determine result"),
        ("finance", "supervisor"),
        _before,
        _say,
        WordForm,
        fits=_is_unknown,
        books=_books,
        second=always,
        deciders=("finance", "supervisor"),
    )
]
