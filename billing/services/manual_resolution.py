"""Manual resolution of outcomes that a channel could not report for days: two colleagues decide, on evidence."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Answer, Declined, Succeeded
from billing.models import Case, Deduction, Payout, RefundPart
from billing.planning import FailureClass
from billing.refusals import KnownAlready, TooEarlyToSay, TransactionUsed
from billing.services.deduction_outcomes import DeductionReport, settle_all
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired, Invalid

SOURCE, CODE = "colleagues", "not_taken"
EVIDENCE_MAX, TXN_MAX = 500, 64


@transaction.atomic
def resolve_unknown(
    deduction_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime
) -> Deduction:
    """Resolve an unknown deduction: it succeeded under the channel's transaction `txn`, or failed if that is empty.

    It goes through the same resolver as a channel's answer. If the channel reports otherwise later, a case is opened
    and the money goes to suspense: nothing is reversed silently.

    Raises:
        NotFound: there is no such deduction.
        ApprovalRequired: this needs dual approval.
        KnownAlready: its outcome is known.
        TooEarlyToSay: it has not been unknown for long enough.
        TransactionUsed: the transaction belongs to another deduction or a case, which accounts for its money.
        Invalid: the evidence is empty or too long.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    row = require_resolvable(Deduction.objects.locked(deduction_id), at=at)
    evidence, txn = clean_evidence(evidence, txn)
    if is_transaction_used(row, txn):
        raise TransactionUsed
    row.record("said_by_colleagues", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    answer: Answer = Succeeded(txn, row.amount) if txn else Declined(CODE, FailureClass.TECHNICAL)
    settle_all([DeductionReport(row.id, answer, SOURCE)], by=by, at=at)
    return Deduction.objects.get(pk=row.id)


def is_transaction_used(row: Deduction | RefundPart | Payout, txn: str) -> bool:
    """Whether another movement or a case has this channel transaction already."""
    if not txn:
        return False
    if type(row).objects.filter(channel=row.channel, channel_txn=txn).exists():
        return True
    about = {Deduction: "deduction", RefundPart: "refund_part", Payout: "payout"}[type(row)]
    cases = Case.objects.filter(realm_id=row.realm_id, detail__txn=txn)
    return cases.filter(**{f"{about}__channel": row.channel}).exists()


def clean_evidence(evidence: str, txn: str) -> tuple[str, str]:
    """The evidence and the channel's transaction, stripped.

    Raises:
        Invalid: the evidence is empty or too long, or the transaction is not valid.
    """
    evidence, txn = evidence.strip(), txn.strip()
    if not 0 < len(evidence) <= EVIDENCE_MAX or len(txn) > TXN_MAX or not (txn.isascii() and txn.isprintable()):
        raise Invalid
    return evidence, txn


def require_resolvable(row: Deduction, *, at: datetime) -> Deduction:
    """The deduction, if it may be resolved manually.

    Raises:
        KnownAlready, TooEarlyToSay: as resolve_unknown says.
    """
    if row.state != Deduction.State.UNKNOWN:
        raise KnownAlready
    if not rules.should_escalate(row.sent_at, at=at):
        raise TooEarlyToSay
    return row
