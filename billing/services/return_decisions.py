"""Decisions on a return: the merchant confirms it, also by silence, or refuses it, and then colleagues decide."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.models import DeductionLine, Refund, RefundPart, Return
from billing.refusals import RefundTooMuch
from billing.return_refusals import ReturnClosed
from billing.services import notices, platform_loss
from billing.services.refund_approval import refund_needs_approval
from billing.services.refund_outcomes import fee_base, kept_amount, lock_refundable_lines
from billing.services.refunds import RefundDetails, prepare_refund, send_parts
from billing.services.refunds_after_failure import advanced_after_failure, ensure_no_open_case
from billing.services.returns import RETURN_REFUND_REASON, RETURNABLE_STATES, has_money_in_flight, publish_return
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, Busy, FieldError, Invalid
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import PaidElsewhere, WrittenOff

REASON_MAX = 200


def confirm_return(return_id: UUID, *, by: Actor, at: datetime, unanswered: bool = False) -> Return:
    """Confirm that the goods arrived: the merchant is charged an early refund, and the rest is refunded. Idempotent.

    With `unanswered` (confirmed by silence) only if the merchant has not refused it meanwhile.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: it is decided otherwise, or was answered.
        Busy: the early refund, another refund, a dispute or a deduction of the order has no outcome yet.
        RefundTooMuch: less than that can still be refunded.
    """
    row, parts = _confirm(return_id, Return.WAITING if unanswered else Return.LIVE, by=by, at=at)
    send_parts(parts, by=by, at=at)
    return row


def prepare_confirmation(return_id: UUID, *, by: Actor, at: datetime) -> Callable[[], None]:
    """Confirm a return by a colleague. Returns the function that sends the refund, to be called after the transaction.

    Raises:
        ApprovalRequired: the refund takes dual approval, or late fees would be waived with it.
        NotFound, ReturnClosed, Busy, RefundTooMuch: see confirm_return.
    """
    _row, parts = _confirm(return_id, Return.LIVE, by=by, at=at)
    return partial(send_parts, parts, by=by, at=at)


@transaction.atomic
def refuse_return(return_id: UUID, reason: str, *, by: Actor, at: datetime) -> Return:
    """The merchant refuses the return and gives a reason; colleagues will decide. Idempotent.

    Raises:
        NotFound: there is no such return.
        Invalid: the reason is empty or too long.
        ReturnClosed: it is decided, refused for another reason, or the deadline has passed.
    """
    explanation = reason.strip()
    if not 0 < len(explanation) <= REASON_MAX:
        raise Invalid(errors=[FieldError("/reason", format_lazy(_("1 to {most} characters."), most=REASON_MAX))])
    row = Return.objects.locked(return_id)
    if row.state == Return.State.REFUSED and row.because == explanation:
        return row
    if row.state not in Return.WAITING or at >= row.answer_until:
        raise ReturnClosed
    escalate_return(row, explanation, by=by, at=at)
    return row


@transaction.atomic
def deny_return(return_id: UUID, reason: str, *, by: Actor, at: datetime) -> Return:
    """Colleagues decide against the person: they owe the platform an early refund again.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: the merchant has not refused it, or it is decided.
        Busy: the early refund has no outcome yet, or the order is being collected.
    """
    row, _lines = _lock_return(return_id)
    _require_refused(row)
    paid_early = _decided_early_refund(row)
    row.deny(at=at)
    row.record("denied", by=by, at=at, reason=reason)
    if paid_early:
        orders.charge_advance_to_person(row.order_id, paid_early, cause=row.id, by=by, at=at)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    _publish_outcome(row, "return.denied", at=at)
    notices.notify_return_denied(row, paid_early or row.amount, reason, owes=bool(paid_early), at=at)
    return row


@transaction.atomic
def absorb_return(return_id: UUID, reason: str, *, by: Actor, at: datetime) -> Return:
    """Colleagues decide that neither side is liable: the platform bears the early refund.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: the merchant has not refused it, it is decided, or there was no early refund.
        ApprovalRequired: the loss takes dual approval.
        Busy: the early refund has no outcome yet.
    """
    row, _lines = _lock_return(return_id)
    _require_refused(row)
    paid_early = _decided_early_refund(row)
    if not paid_early:
        raise ReturnClosed
    if by.is_unapproved_staff and platform_loss.loss_needs_approval(paid_early, [row.order_id]):
        raise ApprovalRequired
    row.mark_borne(at=at)
    row.record("borne", by=by, at=at, reason=reason)
    orders.write_off_advance(row.order_id, paid_early, cause=row.id, by=by, at=at)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    _publish_outcome(row, "return.borne", at=at)
    notices.notify_return_borne(row, paid_early, reason, at=at)
    return row


@transaction.atomic
def _confirm(return_id: UUID, states: Collection[str], *, by: Actor, at: datetime) -> tuple[Return, list[RefundPart]]:
    row, lines = _lock_return(return_id)
    if row.state == Return.State.CONFIRMED:
        return row, []
    if row.state not in states:
        raise ReturnClosed
    paid_early = _decided_early_refund(row)
    row.confirm(at=at)
    row.record("confirmed", by=by, at=at)
    order = Order.objects.locked(row.order_id)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    if paid_early:
        orders.charge_advance_to_merchant(
            row.order_id, paid_early, fee_base(kept_amount(lines, order), order), cause=row.id, by=by, at=at
        )
    parts = _refund_remainder(row, order, paid_early, by=by, at=at)
    _publish_outcome(row, "return.confirmed", at=at)
    return row, parts


def _refund_remainder(row: Return, order: Order, paid_early: Money, *, by: Actor, at: datetime) -> list[RefundPart]:
    """Refund what was not refunded early. Nothing is refunded if the order was paid elsewhere or written off.

    Raises:
        ApprovalRequired: the refund takes dual approval.
        Busy: another refund or a dispute must end before this much can be refunded.
    """
    remaining = _remaining_amount(row, order, paid_early)
    if not remaining:
        return []
    if by.is_unapproved_staff and refund_needs_approval(order, remaining.minor):
        raise ApprovalRequired
    details = RefundDetails(amount_minor=remaining.minor, reason=RETURN_REFUND_REASON)
    try:
        with transaction.atomic():
            _refund, parts, _is_new = prepare_refund(row.order_id, details, by=by, at=at)
    except (PaidElsewhere, WrittenOff) as refusal:
        row.record("not_refunded", by=by, at=at, because=refusal.code)
        return []
    except RefundTooMuch:
        if has_money_in_flight(order):
            raise Busy(retry_after=3600) from None
        raise
    return parts


def _remaining_amount(row: Return, order: Order, paid_early: Money) -> Money:
    """The amount of the return that can still be refunded. Zero if the order's state allows no return."""
    remaining = min(row.amount - paid_early, order.total - order.refunded)
    return remaining if order.state in RETURNABLE_STATES else Money(0, row.currency)


def early_refund_paid(row: Return) -> Money:
    """The part of its early refund that was really paid."""
    return _early_refund_amount(row, row.advance) if row.advance else Money(0, row.currency)


def confirming_needs_approval(row: Return) -> bool:
    """Whether confirming it would refund so much that it takes dual approval."""
    remaining = _remaining_amount(row, row.order, early_refund_paid(row))
    return bool(remaining) and refund_needs_approval(row.order, remaining.minor)


def absorbing_needs_approval(row: Return) -> bool:
    """Whether the platform would bear so much that it takes dual approval."""
    return platform_loss.loss_needs_approval(early_refund_paid(row), [row.order_id])


def _lock_return(return_id: UUID) -> tuple[Return, list[DeductionLine]]:
    """Lock the return, and then the collected lines of its order.

    Raises:
        NotFound: there is no such return.
    """
    row = Return.objects.locked(return_id)
    return row, lock_refundable_lines(row.order_id)


def _require_refused(row: Return) -> None:
    if row.state != Return.State.REFUSED:
        raise ReturnClosed


def _decided_early_refund(row: Return) -> Money:
    """The part of its early refund that was really paid, once that is known.

    Raises:
        Busy: the refund is pending, or was paid after it had failed and that case is still open.
    """
    if row.advance_id is None:
        return Money(0, row.currency)
    refund = Refund.objects.get(pk=row.advance_id)
    if refund.state == Refund.State.PENDING:
        raise Busy(retry_after=60)
    ensure_no_open_case(row.order_id)
    return _early_refund_amount(row, refund)


def _early_refund_amount(row: Return, refund: Refund) -> Money:
    return Money(refund.returned_minor + advanced_after_failure(refund), row.currency)


def escalate_return(row: Return, reason: str, *, by: Actor, at: datetime) -> None:
    """Mark a locked return as refused, for colleagues to decide."""
    row.refuse(reason)
    row.record("refused", by=by, at=at, reason=reason)
    _publish_outcome(row, "return.refused", at=at)
    notices.notify_return_refused(row, at=at)


def _publish_outcome(row: Return, event: str, *, at: datetime) -> None:
    """Publish the event to the merchant, with the order locked because its events are numbered."""
    Order.objects.lock_all([row.order_id])
    publish_return(row, event, at=at)
