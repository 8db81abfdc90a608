"""What channels took back: said by hand where a channel does not call, answered with evidence, or given up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import rules
from billing.channels import TRIBUNALS, bank_returns
from billing.dispute_words import BEARERS
from billing.models import Deduction, Dispute
from billing.refusals import NothingToTakeBack
from billing.services import answers, disputes
from billing.services.stray_returns import Withdrawal
from kernel.actor import Actor
from kernel.console_actions import Verb, VerbForm, Words
from kernel.money import Money
from kernel.templatetags.house import money

SANDBOX = "sandbox"
JUDGES = ("finance", "supervisor")
CODES = {
    "no_funds": gettext_lazy("Insufficient funds"),
    "account_closed": gettext_lazy("Account closed"),
    "not_authorised": gettext_lazy("Customer says it was not authorized"),
    "not_received": gettext_lazy("Customer says nothing was received"),
    "not_as_agreed": gettext_lazy("Customer says it was not as described"),
    "duplicate": gettext_lazy("Duplicate deduction"),
}


class TakenBackForm(VerbForm):
    """By which movement of its own the channel took it back, and why."""

    code = forms.ChoiceField(label=gettext_lazy("Channel reason code"), choices=list(CODES.items()))
    txn = forms.CharField(
        label=gettext_lazy("Channel dispute reference"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("The sandbox bank generates one automatically."),
    )

    def clean(self) -> dict[str, Any] | None:
        wish = super().clean()
        if self.row.channel != SANDBOX and not (wish or {}).get("txn"):
            self.add_error("txn", _("Enter the channel dispute reference."))
        return wish


class EvidenceForm(VerbForm):
    """What is said to the channel."""

    evidence = forms.CharField(
        label=gettext_lazy("Evidence statement"),
        max_length=rules.EVIDENCE_MAX,
        help_text=gettext_lazy("Sent to the channel as written; cannot be changed afterwards."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class BearerForm(VerbForm):
    """Who bears it."""

    bearer = forms.ChoiceField(label=gettext_lazy("Borne by whom"), choices=list(BEARERS.items()))

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.fields["bearer"].initial = row.bearer


def _left(row: Deduction) -> Money:
    return Money(sum(line.kept_minor for line in row.lines.all()), row.currency)


def _before_taken_back(row: Deduction, at: datetime) -> Words:
    del at
    left = _left(row)
    if not left:
        raise NothingToTakeBack
    says = _("%(amount)s leaves the channel account in the ledger. The reason determines who bears it.")
    return says % {"amount": money(left)}


def _taken_back(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    row = Deduction.objects.get(pk=key)
    if row.channel == SANDBOX:
        if bank_returns.take_back(row.number, wish["code"], at=at) is None:
            raise NothingToTakeBack
        return _("The sandbox bank has returned the deduction and will send a callback.")
    disputes.take_back(key, Withdrawal(wish["txn"], _left(row), wish["code"]), by=by, at=at)
    return _("Recorded.")


def _before_contest(row: Dispute, at: datetime) -> Words:
    """What becomes of it, and what goes along: the merchants' answers, word for word."""
    del at
    if row.channel in TRIBUNALS:
        follows = _("Sent to the channel within a minute; the channel then decides.")
    else:
        follows = _("Submit it to this channel yourself; we cannot send it. Record the decision here.")
    said = answers.said_of(row)
    along = _("The merchant's statement is attached: %(said)s") % {"said": said} if said else ""
    return f"{follows} {along}".strip()


def _contest(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    answers.contest_dispute(key, wish["evidence"], by=by, at=at)
    return _("Evidence submitted.")


def _before_accept(row: Dispute, at: datetime) -> Words:
    del at
    return _("Accepts the dispute of %(amount)s; the party you choose bears it.") % {"amount": money(row.amount)}


def _accept(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    row = disputes.accept_dispute(key, wish["bearer"], wish["note"], by=by, at=at)
    return BEARERS[row.bearer]


def _before_ruling(row: Dispute, at: datetime) -> Words:
    del at
    return _("The channel has decided on %(amount)s but does not notify us automatically.") % {
        "amount": money(row.amount)
    }


def _won(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    disputes.rule_dispute(key, won=True, because=wish["note"], by=by, at=at)
    return _("The money is back at the channel.")


def _lost(key: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    row = disputes.rule_dispute(key, won=False, because=wish["note"], by=by, at=at)
    return BEARERS[row.bearer]


def _costs_much(row: Dispute, wish: Mapping[str, Any]) -> bool:
    """Whether we would bear it, by what is chosen or, where nothing is, by what stands, and it is much."""
    return disputes.needs_second(row, wish.get("bearer") or row.bearer)


def _as_it_comes(row: Deduction, wish: Mapping[str, Any]) -> bool:
    """Whether it falls on us at once hangs on the channel's word: its service says so when it comes to it."""
    del row, wish
    return False


def _hold(row: Dispute) -> Dispute:
    return disputes.hold_dispute(row.pk)


def _wanted(row: Dispute, said: dict[str, Any]) -> dict[str, Any]:
    """Who is to bear it, in words."""
    del row
    return said | {"bearer": BEARERS.get(said["bearer"], said["bearer"])}


def _books(row: Dispute) -> Q:
    return Q(cause_id__in=row.lines.values("pk"))


def _was_taken(row: Deduction) -> bool:
    return bool(row.state == Deduction.State.SUCCEEDED and row.channel != "wallet")


def _is_open(row: Dispute) -> bool:
    return bool(row.state == Dispute.State.OPEN)


def _is_decided_elsewhere(row: Dispute) -> bool:
    return bool(row.state == Dispute.State.CONTESTED and row.channel not in TRIBUNALS)


VERBS = [
    Verb(
        "taken_back",
        Deduction,
        gettext_lazy("Record dispute"),
        JUDGES,
        _before_taken_back,
        _taken_back,
        form=TakenBackForm,
        fits=_was_taken,
        second=_as_it_comes,
        deciders=JUDGES,
    ),
    Verb(
        "contest",
        Dispute,
        gettext_lazy("Submit dispute evidence"),
        JUDGES,
        _before_contest,
        _contest,
        form=EvidenceForm,
        fits=_is_open,
    ),
    Verb(
        "accept",
        Dispute,
        gettext_lazy("Accept dispute"),
        JUDGES,
        _before_accept,
        _accept,
        form=BearerForm,
        fits=_is_open,
        books=_books,
        second=_costs_much,
        deciders=JUDGES,
        wants=_wanted,
        hold=_hold,
    ),
    Verb(
        "won",
        Dispute,
        gettext_lazy("Channel decided in our favour"),
        JUDGES,
        _before_ruling,
        _won,
        fits=_is_decided_elsewhere,
    ),
    Verb(
        "lost",
        Dispute,
        gettext_lazy("Channel upheld the dispute"),
        JUDGES,
        _before_ruling,
        _lost,
        fits=_is_decided_elsewhere,
        books=_books,
        second=_costs_much,
        deciders=JUDGES,
        hold=_hold,
    ),
]
