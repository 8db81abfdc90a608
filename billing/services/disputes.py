"""Disputes: a channel takes a deduction back. It may be contested with evidence; if lost, somebody bears the amount."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing import dispute_queries
from billing.dispute_terms import DisputeTerms, parse_terms
from billing.models import Deduction, DeductionLine, Dispute, DisputeLine, DisputePolicy, Return
from billing.refusals import DisputeClosed
from billing.services import notices
from billing.services.dispute_events import publish_dispute
from billing.services.dispute_lines import (
    lock_collected_lines,
    lock_disputed_lines,
    lost_amounts,
    require_no_pending_refund,
    single_service_of,
)
from billing.services.platform_loss import loss_needs_approval
from billing.services.stray_chargebacks import (
    WRONG_AMOUNT,
    Chargeback,
    close_stray_case,
    open_stray_case,
    report_other_return,
    stray_kind_of,
)
from billing.services.suspense import BookedMovement, missing_breaks_of, release_booked, release_breaks
from credit.queries import has_left
from kernel.actor import Actor
from kernel.bulk_writes import insert_all, update_all
from kernel.money import Money
from kernel.policy_versions import version_in_force
from kernel.refusal import ApprovalRequired, Busy, Invalid
from ledger import accounts as book
from ledger import services as ledger
from orders import services as orders
from orders.models import Order, Pause

TAKEN_BACK, DISPUTE_WON = "taken_back", "dispute_won"
#: Reason code of a chargeback known only from a statement, which gives no reason.
REASON_UNKNOWN = "statement"


@transaction.atomic
def record_chargeback(deduction_id: UUID, chargeback: Chargeback, *, by: Actor, at: datetime) -> Dispute | None:
    """Record that a channel took a deduction back. If it cannot be contested, it is lost at once. Idempotent.

    Returns the dispute. None if the chargeback fits no deduction of ours: it is in suspense then, with a case.

    Raises:
        Invalid: the chargeback has no transaction number, or no positive amount.
        NotFound: there is no such deduction.
        ApprovalRequired: see mark_lost.
        Busy: the deduction, or a refund or another debit of its orders, has no outcome yet. The channel will repeat it.
    """
    if not chargeback.txn or chargeback.amount.minor <= 0:
        raise Invalid(_("A movement has a number, and an amount above nothing."))
    deduction = Deduction.objects.locked(deduction_id)
    known = Dispute.objects.filter(channel=deduction.channel, channel_txn=chargeback.txn).first()
    if known is not None and known.deduction_id == deduction.id:
        if chargeback.amount == known.amount:
            return _update_reason(known, chargeback, by=by, at=at)
        report_other_return(deduction, chargeback, at=at)
        return known
    if deduction.state in Deduction.LIVE:
        raise Busy(retry_after=30)
    release_booked([BookedMovement(deduction, "return", chargeback.txn, chargeback.amount)], at=at)
    if stray_kind := stray_kind_of(deduction, chargeback, is_number_used=known is not None):
        open_stray_case(deduction, chargeback, stray_kind, at=at)
        return None
    collected = lock_collected_lines(deduction)
    lines = [line for line in collected if line.deduction_id == deduction.id and line.kept_minor]
    fits = chargeback.amount == Money(sum(line.kept_minor for line in lines), deduction.currency)
    if fits:
        close_stray_case(deduction, chargeback.txn, at=at)
        # A channel that takes money back confirms that it was there.
        release_breaks(missing_breaks_of(deduction), realm_id=deduction.realm_id, at=at)
    Order.objects.lock_all({line.order_id for line in collected})
    require_no_pending_refund([line.order_id for line in collected])
    if not fits:
        open_stray_case(deduction, chargeback, WRONG_AMOUNT, at=at)
        return None
    return _open_dispute(deduction, chargeback, lines, by=by, at=at)


def _open_dispute(
    row: Deduction, chargeback: Chargeback, lines: Sequence[DeductionLine], *, by: Actor, at: datetime
) -> Dispute:
    """Open the dispute: what was left of these lines is disputed until somebody bears it."""
    policy = version_in_force(DisputePolicy, at=at)
    dispute = _build_dispute(row, chargeback, parse_terms(policy.terms), single_service_of(lines), at=at)
    dispute.record("opened", by=by, at=at, code=chargeback.code, policy=policy.version)
    _claim_lines(dispute, lines)
    move = book.Move(book.DISPUTED, book.clearing(row.channel), chargeback.amount)
    ledger.post([ledger.JournalEntry(dispute.id, TAKEN_BACK, [move])], realm_id=row.realm_id, at=at)
    publish_dispute(dispute, "dispute.opened", at=at)
    if dispute.answer_until is None:
        mark_lost(dispute, dispute.bearer, by=by, at=at)
    return dispute


def _update_reason(known: Dispute, chargeback: Chargeback, *, by: Actor, at: datetime) -> Dispute:
    """Update an open dispute, known so far only from a statement, with the channel's reason, and so who is liable."""
    if chargeback.code == REASON_UNKNOWN or known.code != REASON_UNKNOWN:
        return known
    dispute, policy = Dispute.objects.locked(known.id), version_in_force(DisputePolicy, at=known.opened_at)
    if dispute.state != Dispute.State.OPEN:
        return dispute
    lines = [line for line, _ in lock_disputed_lines(dispute)]
    liability = parse_terms(policy.terms).liability_for(chargeback.code, single_service_of(lines))
    dispute.code = chargeback.code[:40]
    dispute.assign_liability(liability.bearer)
    dispute.record("reason_heard", by=by, at=at, code=chargeback.code, bearer=liability.bearer, policy=policy.version)
    if liability.heard:
        publish_dispute(dispute, "dispute.opened", at=at)
    else:
        mark_lost(dispute, dispute.bearer, by=by, at=at)
    return dispute


def _build_dispute(
    row: Deduction, chargeback: Chargeback, terms: DisputeTerms, service: str | None, *, at: datetime
) -> Dispute:
    liability = terms.liability_for(chargeback.code, service)
    answer_until = at + terms.answer_period if liability.heard else None
    return Dispute(
        realm_id=row.realm_id,
        person_id=row.person_id,
        deduction=row,
        channel=row.channel,
        channel_txn=chargeback.txn,
        code=chargeback.code[:40],
        currency=row.currency,
        amount_minor=chargeback.amount.minor,
        bearer=liability.bearer,
        opened_at=at,
        answer_until=answer_until,
        act_at=answer_until,
    )


@transaction.atomic
def accept_dispute(dispute_id: UUID, bearer: str, reason: str, *, by: Actor, at: datetime) -> Dispute:
    """Accept an open dispute before its deadline: it is lost, and the colleague decides who bears it.

    Raises:
        NotFound: there is no such dispute.
        ApprovalRequired: see mark_lost.
        DisputeClosed: it is closed, or the channel is deciding.
        Busy: a refund or a debit of its orders has no outcome yet.
    """
    dispute = lock_dispute(dispute_id)
    if dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    if bearer != dispute.bearer:
        dispute.assign_liability(bearer)
        dispute.record("bearer_named", by=by, at=at, bearer=bearer, reason=reason)
    mark_lost(dispute, bearer, by=by, at=at, reason=reason)
    return dispute


@transaction.atomic
def record_ruling(dispute_id: UUID, *, won: bool, reason: str, by: Actor, at: datetime) -> Dispute:
    """Record a channel's decision by hand, for channels that do not report it themselves.

    Raises:
        NotFound: there is no such dispute.
        ApprovalRequired: see mark_lost.
        DisputeClosed: it was not contested, or is closed.
        Busy: a refund or a debit of its orders has no outcome yet.
    """
    dispute = lock_dispute(dispute_id)
    if dispute.state != Dispute.State.CONTESTED:
        raise DisputeClosed
    if won:
        mark_won(dispute, by=by, at=at, reason=reason)
    else:
        mark_lost(dispute, dispute.bearer, by=by, at=at, reason=reason)
    return dispute


def lock_dispute(dispute_id: UUID) -> Dispute:
    """Lock the dispute, after its deduction, which is the lock order everywhere.

    Raises:
        NotFound: there is no such dispute.
    """
    deduction_id = Dispute.objects.filter(pk=dispute_id).values_list("deduction_id", flat=True).first()
    if deduction_id is not None:
        Deduction.objects.lock_all([deduction_id])
    return Dispute.objects.locked(dispute_id)


def mark_won(dispute: Dispute, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Close the dispute as won: the channel gives the money back, and the lines can be refunded again."""
    lines = lock_disputed_lines(dispute)
    for line, amount in lines:
        line.refunded_minor -= amount.minor
    update_all([line for line, _ in lines], ["refunded_minor"])
    dispute.win(at=at)
    dispute.record("won", by=by, at=at, reason=reason)
    move = book.Move(book.clearing(dispute.channel), book.DISPUTED, dispute.amount)
    ledger.post([ledger.JournalEntry(dispute.id, DISPUTE_WON, [move])], realm_id=dispute.realm_id, at=at)
    publish_dispute(dispute, "dispute.won", at=at)


def mark_lost(dispute: Dispute, bearer: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Close the dispute as lost: the person owes the amount again, or the merchant or the platform bears it.

    The platform bears it instead of the person if the debt was written off or the person has closed their account, and
    instead of the merchant if the debit paid for no goods. The orders are locked before that is checked, so that none
    is written off meanwhile.

    Raises:
        ApprovalRequired: the platform would bear so much that it takes dual approval.
        Busy: a payment of its orders is in flight, or the person is just closing their account.
    """
    pairs = lock_disputed_lines(dispute)
    lines = [line for line, _ in pairs]
    Order.objects.lock_all({line.order_id for line in lines})
    bearer = _effective_bearer(dispute, bearer, lines)
    if by.is_unapproved_staff and _loss_needs_approval(dispute, bearer, lines):
        raise ApprovalRequired
    owed_again = bearer == Dispute.Bearer.PERSON
    lost = lost_amounts(dispute, pairs)
    if owed_again:
        for line, amount in pairs:
            line.refunded_minor -= amount.minor
            line.reopened_minor += amount.minor
        update_all([line for line, _ in pairs], ["refunded_minor", "reopened_minor"])
    dispute.lose(bearer, at=at)
    dispute.record("lost", by=by, at=at, bearer=bearer, reason=reason)
    if owed_again:
        orders.reopen_debts(lost, by=by, at=at)
        if has_left(dispute.person_id):  # their profile is locked only now: they left after the first check
            raise Busy(retry_after=60)
        _pause_for_returns({line.order_id for line, _ in pairs}, by=by, at=at)
    else:
        platform_liable = bearer == Dispute.Bearer.PLATFORM
        orders.assign_loss(lost, platform_liable=platform_liable, by=by, at=at, dispute=dispute.public_id)
    require_no_pending_refund([line.order_id for line, _ in pairs])
    publish_dispute(dispute, "dispute.lost", at=at)
    if owed_again:
        notices.notify_dispute_opened(dispute, at=at)


def needs_approval(dispute: Dispute, bearer: str) -> bool:
    """Whether accepting it with this bearer needs dual approval, because the platform would bear too much."""
    lines = [line.taken for line in dispute.lines.select_related("taken__obligation")]
    return _loss_needs_approval(dispute, _effective_bearer(dispute, bearer, lines), lines)


def _loss_needs_approval(dispute: Dispute, bearer: str, lines: Sequence[DeductionLine]) -> bool:
    return bearer == Dispute.Bearer.PLATFORM and loss_needs_approval(dispute.amount, {line.order_id for line in lines})


def _effective_bearer(dispute: Dispute, bearer: str, lines: Sequence[DeductionLine]) -> str:
    """The given bearer, or the platform if that one cannot bear it."""
    if bearer == Dispute.Bearer.PERSON:
        can = not has_left(dispute.person_id) and orders.can_reopen([line.obligation_id for line in lines])
    else:
        can = any(dispute_queries.is_for_goods(line) for line in lines)
    return bearer if can else Dispute.Bearer.PLATFORM


def _pause_for_returns(order_ids: Collection[UUID], *, by: Actor, at: datetime) -> None:
    """Pause the orders that are being returned without an early refund, until their return is decided."""
    waiting = Return.objects.filter(order_id__in=order_ids, state__in=Return.LIVE)
    no_early_refund = Q(advance__isnull=True) | Q(advance__returned_minor=0)
    for order_id in sorted(set(waiting.filter(no_early_refund).values_list("order_id", flat=True))):
        orders.pause_order(order_id, Pause.Reason.RETURN, by=by, at=at)


def _claim_lines(dispute: Dispute, lines: Sequence[DeductionLine]) -> None:
    """Attach the lines to the dispute, so that their rest can no longer be refunded."""
    insert_all(
        [
            DisputeLine(
                dispute=dispute,
                taken=line,
                order_id=line.order_id,
                merchant_id=line.merchant_id,
                amount_minor=line.kept_minor,
            )
            for line in lines
        ]
    )
    for line in lines:
        line.refunded_minor += line.kept_minor
    update_all(lines, ["refunded_minor"])
