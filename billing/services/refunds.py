"""Refunds: created with their parts in one transaction, sent outside of any, and settled in another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing import channels
from billing.models import Deduction, DeductionLine, Refund, RefundPart, Return
from billing.refund_queries import refunded_minor_of
from billing.refusals import AmountInvalid, RefundedMeanwhile, RefundNumberReused, RefundTooMuch
from billing.return_refusals import ReturnOpen
from billing.rules import SEND_LEASE, allocate
from billing.services import notices
from billing.services.movements import MovementReport
from billing.services.refund_approval import refund_needs_approval
from billing.services.refund_outcomes import (
    REFUND_PARTS,
    build_refund_event,
    fee_base,
    kept_amount,
    lock_refundable_lines,
)
from billing.services.refunds_after_failure import ensure_no_open_case
from kernel.actor import Actor
from kernel.bulk_writes import update_all
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Busy
from ledger import accounts as book
from ledger import services as ledger
from merchants.services import publish
from orders import rules as order_rules
from orders import services as orders
from orders.models import Order
from orders.services import Refundable


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDetails:
    """A refund as it is requested: amount, reason, and the merchant's own number if they have one."""

    amount_minor: int
    reason: str
    out_refund_no: str | None = None
    #: An early refund of a return: paid by the platform, not yet by the merchant.
    advanced: bool = False
    #: How much of the order was refunded when the amount was confirmed, in minor units; None if nobody was shown that.
    refunded_before: int | None = None


def refund_order(
    order_id: UUID,
    request: RefundDetails,
    *,
    by: Actor,
    at: datetime,
    on_created: Callable[[Refund, bool], None] | None = None,
) -> tuple[Refund, bool]:
    """Refund a part of an order: first what is still owed is reduced; the rest is paid back to its payment methods.

    Returns the refund in its current state, and whether it is new: the same `out_refund_no` is the same refund. Both
    are passed to `on_created` in the transaction that creates it, before anything is sent.

    Raises:
        NotFound, OrderState, PaidElsewhere, WrittenOff, DeductionInFlight: see orders.lock_refundable.
        AmountInvalid, RefundTooMuch: the amount is not positive, or more than can be refunded.
        RefundNumberReused: the number belongs to another refund.
        ReturnOpen: the order is being returned; the return is to be confirmed instead.
        RefundedMeanwhile: something was refunded since the amount was confirmed.
    """
    with transaction.atomic():
        refund, parts, is_new = _prepare_or_refuse(order_id, request, by=by, at=at)
        if on_created is not None:
            on_created(refund, is_new)
    send_parts(parts, by=by, at=at)
    return Refund.objects.get(pk=refund.id), is_new


def begin_refund(
    order_id: UUID, request: RefundDetails, *, by: Actor, at: datetime
) -> tuple[Refund, Callable[[], None]]:
    """Create a refund by a colleague. Also returns the function that sends it, to be called after the transaction.

    Raises:
        RefundedMeanwhile: something was refunded since the amount was confirmed.
        ApprovalRequired: the amount takes dual approval, or late fees would be waived with it.
        NotFound, OrderState …: see refund_order.
    """
    with transaction.atomic():
        lock_refundable_lines(order_id)
        order = Order.objects.locked(order_id)
        if by.is_unapproved_staff and refund_needs_approval(order, request.amount_minor):
            raise ApprovalRequired
        refund, parts, _is_new = _prepare_or_refuse(order_id, request, by=by, at=at)
    return refund, partial(send_parts, parts, by=by, at=at)


def _prepare_or_refuse(
    order_id: UUID, request: RefundDetails, *, by: Actor, at: datetime
) -> tuple[Refund, list[RefundPart], bool]:
    try:
        with transaction.atomic():
            return prepare_refund(order_id, request, by=by, at=at)
    except IntegrityError as exc:
        if "a_refund_number_is_used_once" not in str(exc):
            raise
        raise RefundNumberReused from None  # by a concurrent refund of another order


def prepare_refund(
    order_id: UUID, request: RefundDetails, *, by: Actor, at: datetime
) -> tuple[Refund, list[RefundPart], bool]:
    """Create a refund inside the caller's transaction. Returns it, its parts to send afterwards, and whether it is new.

    Raises:
        NotFound, OrderState, AmountInvalid, RefundTooMuch, RefundNumberReused …: see refund_order.
        ReturnOpen: the order is being returned; the return is to be confirmed instead.
        Busy: an earlier refund of the order was paid after it had failed, and that case is still open.
    """
    if request.amount_minor <= 0:
        raise AmountInvalid(_("The refund amount must be greater than zero."))
    lines = lock_refundable_lines(order_id, include_advance_repayments=not request.advanced)
    existing = _find_existing(order_id, request)
    if existing is not None:
        return existing, [], False
    refundable = orders.lock_refundable(order_id)
    existing = _find_existing(order_id, request)
    if existing is not None:
        return existing, [], False
    if not request.advanced and Return.objects.filter(order_id=order_id, state__in=Return.LIVE).exists():
        raise ReturnOpen
    if request.refunded_before not in (None, refunded_minor_of(order_id)):
        raise RefundedMeanwhile
    kept, lowered, returned = _split_amount(refundable, lines, request)
    refund = _create_refund(refundable.order, request, lowered, by=by, at=at)
    _reduce_order(refundable, request, lowered, kept, by=by, at=at)
    if not returned:
        refund.succeed(at=at)
        refund.record("succeeded", by=by, at=at)
        publish([build_refund_event(refund)], realm_id=refund.realm_id, at=at)
        notices.notify_refund_ended(refund, at=at)
        return refund, [], True
    ensure_no_open_case(order_id)
    parts = _create_parts(refund, lines, returned, by=by, at=at)
    moves = _ledger_moves(refundable.order, refund, returned, kept)
    ledger.post([ledger.JournalEntry(refund.id, "refund_asked", moves, order_id)], realm_id=refund.realm_id, at=at)
    orders.pause_for_refund(order_id, by=by, at=at)
    return refund, parts, True


def _reduce_order(
    refundable: Refundable, request: RefundDetails, lowered: int, kept: Money, *, by: Actor, at: datetime
) -> None:
    """Reduce what is owed of the order. If the merchant keeps nothing of it, its late fees are waived too."""
    order, refundable_minor = refundable.order, refundable.owed.minor + kept.minor
    if lowered:
        orders.reduce_total(order.id, order.total.minor - lowered, request.reason, by=by, at=at)
    if request.amount_minor == refundable_minor and not (request.advanced or order.advanced_minor):
        orders.waive_fees_of_refunded(order.id, by=by, at=at)


def _find_existing(order_id: UUID, request: RefundDetails) -> Refund | None:
    """The existing refund with this number, if any.

    Raises:
        RefundNumberReused: it is of another order, amount or reason.
    """
    if request.out_refund_no is None:
        return None
    merchant = Order.objects.filter(pk=order_id).values("merchant_id")
    existing = Refund.objects.filter(merchant_id__in=merchant, out_refund_no=request.out_refund_no).first()
    if existing is None:
        return None
    if (existing.order_id, existing.amount_minor, existing.reason) != (order_id, request.amount_minor, request.reason):
        raise RefundNumberReused
    return existing


def _split_amount(
    refundable: Refundable, lines: Sequence[DeductionLine], request: RefundDetails
) -> tuple[Money, int, Money]:
    """What the merchant keeps so far, by how much the debt is reduced (minor units), and how much is paid back.

    What exceeds the payments for the purchase is taken from the repayment of an early refund, made after a denied
    return. That money was the platform's, so the merchant is charged the early refund from now on.

    Raises:
        Busy: more was collected since the lines were locked.
        RefundTooMuch: the amount is more than can be refunded.
    """
    order, purchase_lines = refundable.order, [line for line in lines if not line.is_advance_repayment]
    if sum(line.amount_minor - line.reopened_minor for line in purchase_lines) != refundable.paid.minor:
        raise Busy(retry_after=1)
    available = Money(sum(line.kept_minor for line in lines), order.currency)
    purchase_available = Money(sum(line.kept_minor for line in purchase_lines), order.currency)
    if request.amount_minor > refundable.owed.minor + available.minor:
        raise RefundTooMuch(format_lazy(_("Up to {most} can be refunded."), most=str(refundable.owed + available)))
    lowered = min(request.amount_minor, refundable.owed.minor)
    returned, kept = Money(request.amount_minor - lowered, order.currency), kept_amount(lines, order)
    if returned > purchase_available:
        order.charge_advance(returned - purchase_available)
    return kept, lowered, returned


def _ledger_moves(order: Order, refund: Refund, returned: Money, kept: Money) -> list[book.Move]:
    """An early refund is paid by the platform; any other by the merchant, whose fee is that of what they keep."""
    due = book.refund_due(refund.person_id)
    if refund.advanced:
        return [book.Move(book.ADVANCES, due, returned)]
    return order_rules.refund_moves(returned, fee_base(kept, order), due, order.terms)


def _create_refund(order: Order, request: RefundDetails, lowered: int, *, by: Actor, at: datetime) -> Refund:
    refund = Refund(
        realm_id=order.realm_id,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        order=order,
        currency=order.currency,
        amount_minor=request.amount_minor,
        lowered_minor=lowered,
        reason=request.reason,
        out_refund_no=request.out_refund_no,
        advanced=request.advanced,
        created_at=at,
    )
    refund.record("asked", by=by, at=at)
    kind = "refund_advanced" if request.advanced else "refund_asked"
    order.record(kind, by=by, at=at, refund=refund.public_id, amount=request.amount_minor, reason=request.reason)
    return refund


def _create_parts(
    refund: Refund, lines: Sequence[DeductionLine], returned: Money, *, by: Actor, at: datetime
) -> list[RefundPart]:
    """Create the parts, the newest deduction first. They count as sent from the moment this commits."""
    shares = allocate(returned.minor, [line.kept_minor for line in lines])
    used = [(line, share) for line, share in zip(lines, shares, strict=True) if share]
    for line, share in used:
        line.refunded_minor += share
    update_all([line for line, _ in reversed(used)], ["refunded_minor"])
    parts = [
        RefundPart(
            realm_id=refund.realm_id,
            refund=refund,
            taken=line,
            channel=line.deduction.channel,
            currency=refund.currency,
            amount_minor=share,
            prepared_at=at,
        )
        for line, share in used
    ]
    record_all(parts, "prepared", by=by, at=at)
    for part in parts:
        part.send(at=at, ask_at=at + SEND_LEASE)
    record_all(parts, "sent", by=by, at=at)
    return parts


def send_parts(parts: Sequence[RefundPart], *, by: Actor, at: datetime) -> None:
    """Send the parts to their channels and settle the answers. Parts that are not sent within half of their lease are
    deferred to the next run, without using up an attempt.
    """
    returns = ((part.id, part.channel, _channel_request(part, part.taken.deduction, at=at)) for part in parts)
    answers = list(channels.refund_all(returns, within=SEND_LEASE / 2))
    REFUND_PARTS.settle_all([MovementReport(key, answer, "sync") for key, answer in answers], by=by, at=at)
    sent_ids = {key for key, _answer in answers}
    _defer_unsent([part for part in parts if part.id not in sent_ids], by=by, at=at)


@transaction.atomic
def _defer_unsent(parts: Sequence[RefundPart], *, by: Actor, at: datetime) -> None:
    """Reschedule parts that were not sent, except those that changed meanwhile."""
    versions = {part.id: part.version for part in parts}
    left = [row for row in RefundPart.objects.locked_all(versions) if row.version == versions[row.id]]
    for row in left:
        row.requeue_unsent(again_at=at)
    record_all(left, "not_its_turn", by=by, at=at)


def _channel_request(part: RefundPart, taken: Deduction, *, at: datetime) -> channels.RefundRequest:
    return channels.RefundRequest(part.number, taken.channel_txn or "", taken.instrument.token, part.amount, at)
