"""Row actions on disputes: record one by hand, submit evidence, accept, and record the channel's decision."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import rules
from billing.channels import DISPUTE_CHANNELS, bank_disputes
from billing.dispute_labels import BEARER_LABELS
from billing.models import Deduction, Dispute
from billing.refusals import NothingToTakeBack
from billing.services import dispute_evidence, disputes
from billing.services.stray_chargebacks import Chargeback
from kernel.actor import Actor
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from kernel.money import Money
from kernel.templatetags.formatting import money

SANDBOX = "sandbox"
RESOLVERS = ("finance", "supervisor")
REASON_LABELS = {
    "no_funds": gettext_lazy("Insufficient funds"),
    "account_closed": gettext_lazy("Account closed"),
    "not_authorised": gettext_lazy("Customer says it was not authorized"),
    "not_received": gettext_lazy("Customer says nothing was received"),
    "not_as_agreed": gettext_lazy("Customer says it was not as described"),
    "duplicate": gettext_lazy("Duplicate deduction"),
}


class RecordDisputeForm(ReasonForm):
    """The channel's reason and reference of a dispute."""

    code = forms.ChoiceField(label=gettext_lazy("Channel reason code"), choices=list(REASON_LABELS.items()))
    txn = forms.CharField(
        label=gettext_lazy("Channel dispute reference"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("The sandbox bank generates one automatically."),
    )

    def clean(self) -> dict[str, Any] | None:
        data = super().clean()
        if self.row.channel != SANDBOX and not (data or {}).get("txn"):
            self.add_error("txn", _("Enter the channel dispute reference."))
        return data


class EvidenceForm(ReasonForm):
    """The evidence to send to the channel."""

    evidence = forms.CharField(
        label=gettext_lazy("Evidence statement"),
        max_length=rules.EVIDENCE_MAX,
        help_text=gettext_lazy("Sent to the channel as written; cannot be changed afterwards."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class LiabilityForm(ReasonForm):
    """Who is liable for an accepted dispute."""

    bearer = forms.ChoiceField(label=gettext_lazy("Borne by whom"), choices=list(BEARER_LABELS.items()))

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        self.fields["bearer"].initial = row.bearer


def _kept_amount(row: Deduction) -> Money:
    return Money(sum(line.kept_minor for line in row.lines.all()), row.currency)


def _preview_record(row: Deduction, at: datetime) -> StrOrPromise:
    del at
    left = _kept_amount(row)
    if not left:
        raise NothingToTakeBack
    text = _("%(amount)s leaves the channel account in the ledger. The reason determines who bears it.")
    return text % {"amount": money(left)}


def _record_dispute(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    row = Deduction.objects.get(pk=key)
    if row.channel == SANDBOX:
        if bank_disputes.reverse_debit(row.number, data["code"], at=at) is None:
            raise NothingToTakeBack
        return _("The sandbox bank has returned the deduction and will send a callback.")
    disputes.record_chargeback(key, Chargeback(data["txn"], _kept_amount(row), data["code"]), by=by, at=at)
    return _("Recorded.")


def _preview_contest(row: Dispute, at: datetime) -> StrOrPromise:
    """How the evidence is sent, and the merchants' statements that are attached."""
    del at
    if row.channel in DISPUTE_CHANNELS:
        follows = _("Sent to the channel within a minute; the channel then decides.")
    else:
        follows = _("Submit it to this channel yourself; we cannot send it. Record the decision here.")
    statement = dispute_evidence.evidence_text(row)
    attached = _("The merchant's statement is attached: %(said)s") % {"said": statement} if statement else ""
    return f"{follows} {attached}".strip()


def _contest(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    dispute_evidence.contest_dispute(key, data["evidence"], by=by, at=at)
    return _("Evidence submitted.")


def _preview_accept(row: Dispute, at: datetime) -> StrOrPromise:
    del at
    return _("Accepts the dispute of %(amount)s; the party you choose bears it.") % {"amount": money(row.amount)}


def _accept(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    row = disputes.accept_dispute(key, data["bearer"], data["note"], by=by, at=at)
    return BEARER_LABELS[row.bearer]


def _preview_ruling(row: Dispute, at: datetime) -> StrOrPromise:
    del at
    return _("The channel has decided on %(amount)s but does not notify us automatically.") % {
        "amount": money(row.amount)
    }


def _record_won(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    disputes.record_ruling(key, won=True, reason=data["note"], by=by, at=at)
    return _("The money is back at the channel.")


def _record_lost(key: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    row = disputes.record_ruling(key, won=False, reason=data["note"], by=by, at=at)
    return BEARER_LABELS[row.bearer]


def _needs_approval(row: Dispute, data: Mapping[str, Any]) -> bool:
    """Whether it would be a large loss for the platform, by the chosen liability or the current one."""
    return disputes.needs_approval(row, data.get("bearer") or row.bearer)


def _record_needs_approval(row: Deduction, data: Mapping[str, Any]) -> bool:
    """Never known before: liability depends on the channel's reason, so the service raises when approval is needed."""
    del row, data
    return False


def _lock(row: Dispute) -> Dispute:
    return disputes.lock_dispute(row.pk)


def _requested(row: Dispute, requested: dict[str, Any]) -> dict[str, Any]:
    """The request with the label of the liable party."""
    del row
    return requested | {"bearer": BEARER_LABELS.get(requested["bearer"], requested["bearer"])}


def _posting_filter(row: Dispute) -> Q:
    return Q(cause_id__in=row.lines.values("pk"))


def _can_be_disputed(row: Deduction) -> bool:
    return bool(row.state == Deduction.State.SUCCEEDED and row.channel != "wallet")


def _is_open(row: Dispute) -> bool:
    return bool(row.state == Dispute.State.OPEN)


def _is_ruled_manually(row: Dispute) -> bool:
    return bool(row.state == Dispute.State.CONTESTED and row.channel not in DISPUTE_CHANNELS)


ROW_ACTIONS = [
    RowAction(
        "taken_back",
        Deduction,
        gettext_lazy("Record dispute"),
        RESOLVERS,
        _preview_record,
        _record_dispute,
        form=RecordDisputeForm,
        applies_to=_can_be_disputed,
        needs_approval=_record_needs_approval,
        approvers=RESOLVERS,
    ),
    RowAction(
        "contest",
        Dispute,
        gettext_lazy("Submit dispute evidence"),
        RESOLVERS,
        _preview_contest,
        _contest,
        form=EvidenceForm,
        applies_to=_is_open,
    ),
    RowAction(
        "accept",
        Dispute,
        gettext_lazy("Accept dispute"),
        RESOLVERS,
        _preview_accept,
        _accept,
        form=LiabilityForm,
        applies_to=_is_open,
        posting_filter=_posting_filter,
        needs_approval=_needs_approval,
        approvers=RESOLVERS,
        requested=_requested,
        lock=_lock,
    ),
    RowAction(
        "won",
        Dispute,
        gettext_lazy("Channel decided in our favour"),
        RESOLVERS,
        _preview_ruling,
        _record_won,
        applies_to=_is_ruled_manually,
    ),
    RowAction(
        "lost",
        Dispute,
        gettext_lazy("Channel upheld the dispute"),
        RESOLVERS,
        _preview_ruling,
        _record_lost,
        applies_to=_is_ruled_manually,
        posting_filter=_posting_filter,
        needs_approval=_needs_approval,
        approvers=RESOLVERS,
        lock=_lock,
    ),
]
