"""How something ended that no channel could say for days: two colleagues say it, on evidence they have seen."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Answer, Declined, Taken
from billing.models import Case, Deduction, Payout, RefundPart
from billing.planning import Kind
from billing.refusals import KnownAlready, TooEarlyToSay, TransactionUsed
from billing.services.settle import Report, settle_all
from kernel.actor import Actor
from kernel.refusal import Invalid, SecondNeeded

SOURCE, CODE = "colleagues", "not_taken"
EVIDENCE_MAX, TXN_MAX = 500, 64


@transaction.atomic
def resolve_unknown(
    deduction_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime
) -> Deduction:
    """The money was taken under the channel's transaction `txn`; or, where that is empty, it never was.

    It goes through the one resolver, as if the channel had said so. Should the channel say otherwise later, that is a
    case, and its money stands in suspense: nothing is taken back silently.

    Raises:
        NotFound: there is no such deduction.
        SecondNeeded: no colleague says it alone.
        KnownAlready: its outcome is known.
        TooEarlyToSay: it has not been unknown for so long that a person should look.
        TransactionUsed: the channel's transaction is another deduction's, or a case's: its money has its place.
        Invalid: there is no evidence, or more than is kept.
    """
    if by.alone:
        raise SecondNeeded
    row = sayable(Deduction.objects.locked(deduction_id), at=at)
    evidence, txn = word_of(evidence, txn)
    if is_used(row, txn):
        raise TransactionUsed
    row.record("said_by_colleagues", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    answer: Answer = Taken(txn, row.amount) if txn else Declined(CODE, Kind.TECHNICAL)
    settle_all([Report(row.id, answer, SOURCE)], by=by, at=at)
    return Deduction.objects.get(pk=row.id)


def is_used(row: Deduction | RefundPart | Payout, txn: str) -> bool:
    """Whether another movement, or a case, has this transaction of the channel's: nobody says it a second time."""
    if not txn:
        return False
    if type(row).objects.filter(channel=row.channel, channel_txn=txn).exists():
        return True
    about = {Deduction: "deduction", RefundPart: "refund_part", Payout: "payout"}[type(row)]
    placed = Case.objects.filter(realm_id=row.realm_id, detail__txn=txn)
    return placed.filter(**{f"{about}__channel": row.channel}).exists()


def word_of(evidence: str, txn: str) -> tuple[str, str]:
    """What colleagues have seen, and the channel's transaction, as they are kept.

    Raises:
        Invalid: there is no evidence, or more than is kept; or that is no transaction.
    """
    evidence, txn = evidence.strip(), txn.strip()
    if not 0 < len(evidence) <= EVIDENCE_MAX or len(txn) > TXN_MAX or not (txn.isascii() and txn.isprintable()):
        raise Invalid
    return evidence, txn


def sayable(row: Deduction, *, at: datetime) -> Deduction:
    """The deduction, where colleagues may say how it ended.

    Raises:
        KnownAlready, TooEarlyToSay: as resolve_unknown says.
    """
    if row.state != Deduction.State.UNKNOWN:
        raise KnownAlready
    if not rules.too_long(row.sent_at, at=at):
        raise TooEarlyToSay
    return row
