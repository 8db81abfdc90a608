"""Colleagues close cases: they decide where money in suspense belongs, or that the ledger was right."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.channels import Answer, Declined, Succeeded
from billing.models import Case, Deduction, Payout, RefundPart
from billing.planning import FailureClass
from billing.refusals import CaseClosed, CaseUnfit, TransactionUsed
from billing.services import payout_returns, refunds_after_failure
from billing.services.case_resolutions import (
    BLOCKING_KINDS,
    BY_HAND,
    MERCHANT,
    SAID,
    STANDS,
    UNDECIDED_STATES,
    WALLET,
    amount_at_stake,
    closing_moves,
    is_undecided,
    movement_of,
    needs_approval,
    person_of,
)
from billing.services.case_wallet import (
    clean_payment_reference,
    credit_wallet,
    require_not_leaving,
)
from billing.services.deduction_outcomes import (
    UNKNOWN_TOO_LONG,
    WRONG_AMOUNT,
    DeductionReport,
    settle_all,
)
from billing.services.discrepancy_checks import NOT_REFUNDED
from billing.services.manual_resolution import CODE, SOURCE, clean_evidence, is_transaction_used
from billing.services.movements import MovementReport
from billing.services.payout_outcomes import PAYOUTS
from billing.services.refund_outcomes import (
    REFUND_PARTS,
    lock_refundable_lines,
)
from billing.services.suspense import missing_breaks_of, release_breaks
from billing.settlement_queries import PAYOUT_RETURNED
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Busy, NotFound
from ledger import services as ledger

CLOSED = "case_closed"


@transaction.atomic
def close_case(case_id: UUID, resolution: str, reason: str, *, paid_as: str = "", by: Actor, at: datetime) -> Case:
    """Close a case: colleagues decide where its money belongs, or that the ledger was right.

    Large amounts take dual approval. So does money paid to the person by hand, which needs the bank's reference of
    that payment (`paid_as`). If a wrong amount was moved and the channel returned it, or the person got it otherwise,
    the movement ends as well: its obligation can be collected again.

    Raises:
        NotFound: there is no such case.
        CaseClosed: it is closed already.
        CaseUnfit, NoWallet: see closing_moves.
        ApprovalRequired: the amount is large, or was paid by hand.
        Invalid: the bank reference is missing for a payment by hand, or given without one.
        ReferenceReused: the bank reference is of another payment.
        Busy: the movement is just being sent again.
    """
    case = _lock_open_case(case_id)
    case.paid_as = clean_payment_reference(resolution, paid_as)
    if case.refund_part is not None:
        # So that neither the refundable rest of the order nor its return changes meanwhile.
        lock_refundable_lines(case.refund_part.refund.order_id)
    moves = closing_moves(case, resolution)
    if by.is_unapproved_staff and (needs_approval(case) or resolution == BY_HAND):
        raise ApprovalRequired
    stake = amount_at_stake(case)
    if case.refund_part is not None and case.kind == NOT_REFUNDED and resolution != STANDS:
        # A statement may have reported the same money as missing.
        release_breaks(missing_breaks_of(case.refund_part), realm_id=case.realm_id, at=at)
    ledger.post(
        [ledger.JournalEntry(case.id, CLOSED, moves, _order_of(case, resolution))], realm_id=case.realm_id, at=at
    )
    _apply_resolution(case, resolution, stake, by=by, at=at)
    if case.kind in BLOCKING_KINDS:
        _end_movement(case, took_place=resolution == STANDS, by=by, at=at)
    if resolution == WALLET:
        require_not_leaving(person_of(movement_of(case)))
    _close(case, resolution, reason, stake, by=by, at=at)
    return case


def _apply_resolution(case: Case, resolution: str, stake: Money, *, by: Actor, at: datetime) -> None:
    """Apply the effects of the resolution: credit the wallet, count it as refunded, or owe it to the merchant."""
    if resolution == WALLET:
        credit_wallet(case, person_of(movement_of(case)), stake, at=at)
    if case.refund_part is not None and resolution in refunds_after_failure.REFUNDED_RESOLUTIONS:
        refunds_after_failure.record_refunded(case, case.refund_part, resolution, stake, by=by, at=at)
    if case.payout is not None and case.kind == PAYOUT_RETURNED and resolution == MERCHANT:
        payout_returns.publish_payout_returned(case.payout, at=at)


@transaction.atomic
def record_movement_outcome(
    case_id: UUID, *, txn: str, evidence: str, reason: str = "", by: Actor, at: datetime
) -> Case:
    """Record by hand how a refund part or payout ended whose result was unknown for days. Takes dual approval.

    It was paid under the channel's transaction `txn`, or never paid if `txn` is empty.

    Raises:
        NotFound: there is no such case.
        ApprovalRequired: the other colleague's approval is missing.
        CaseClosed: it is closed already.
        CaseUnfit: the case is of another kind.
        TransactionUsed: the channel's transaction belongs to another movement or case.
        Invalid: the evidence is empty or too long.
        Busy: the movement is just being sent again.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    case = _lock_open_case(case_id)
    if not can_record_outcome(case):
        raise CaseUnfit
    evidence, txn = clean_evidence(evidence, txn)
    row = movement_of(case)
    if is_transaction_used(row, txn):
        raise TransactionUsed
    row.record("said_by_colleagues", by=by, at=at, txn=txn, evidence=evidence, note=reason)
    _apply_answer(row, Succeeded(txn, row.amount) if txn else Declined(CODE, FailureClass.HARD), by=by, at=at)
    case.refresh_from_db()
    _close(case, SAID, reason, row.amount, by=by, at=at)
    return case


def can_record_outcome(case: Case) -> bool:
    """Whether colleagues may record the movement's outcome here. A deduction's outcome is recorded on its own page."""
    return case.closed_at is None and case.kind == UNKNOWN_TOO_LONG and case.deduction_id is None and is_undecided(case)


def lock_case(case: Case) -> Case:
    """Lock the case until the transaction ends, after locking its movement.

    Raises:
        NotFound: there is no such case.
    """
    for model, key in ((Deduction, case.deduction_id), (RefundPart, case.refund_part_id), (Payout, case.payout_id)):
        if key is not None:
            model.objects.lock_all([key])
    return Case.objects.locked(case.pk)


def _lock_open_case(case_id: UUID) -> Case:
    found = Case.objects.filter(pk=case_id).first()
    if found is None:
        raise NotFound
    case = lock_case(found)
    if case.closed_at is not None:
        raise CaseClosed
    return case


def _close(case: Case, resolution: str, reason: str, stake: Money, *, by: Actor, at: datetime) -> None:
    case.resolution, case.closed_because, case.closed_by = resolution, reason[:200], str(by)
    case.at_stake_minor, case.at_stake_currency, case.closed_at = stake.minor, stake.currency, at
    case.save()


def _order_of(case: Case, resolution: str) -> UUID | None:
    """The order under which the merchant sees the posting, if it concerns one."""
    return (
        case.refund_part.refund.order_id
        if resolution in refunds_after_failure.REFUNDED_RESOLUTIONS and case.refund_part
        else None
    )


def _end_movement(case: Case, *, took_place: bool, by: Actor, at: datetime) -> None:
    """Give the waiting movement its outcome: it took place as requested, or not at all."""
    row = movement_of(case)
    if row.state not in UNDECIDED_STATES:
        return
    row.record("case_closed", by=by, at=at, case=case.public_id)
    txn = str(case.detail.get("txn", ""))
    _apply_answer(
        row, Succeeded(txn, row.amount) if took_place else Declined(WRONG_AMOUNT, _failure_class_for(row)), by=by, at=at
    )


def _failure_class_for(row: Deduction | RefundPart | Payout) -> FailureClass:
    """A debit is retried as after a technical failure; refunds and payouts are not resent automatically."""
    return FailureClass.TECHNICAL if isinstance(row, Deduction) else FailureClass.HARD


def _apply_answer(row: Deduction | RefundPart | Payout, answer: Answer, *, by: Actor, at: datetime) -> None:
    """Settle the movement as if the channel had reported this answer."""
    if row.state not in ("sent", "unknown"):
        raise Busy(retry_after=60)
    if isinstance(row, Deduction):
        settle_all([DeductionReport(row.id, answer, SOURCE)], by=by, at=at)
    else:
        resolver = REFUND_PARTS if isinstance(row, RefundPart) else PAYOUTS
        resolver.settle_all([MovementReport(row.id, answer, SOURCE)], by=by, at=at)
