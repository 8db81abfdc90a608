"""The order's side of refunds: what can be refunded, and what is recorded."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.actor import Actor
from kernel.money import Money
from kernel.transactions import join_transaction
from orders.models import Obligation, Order, Pause
from orders.refusals import DeductionInFlight, PaidElsewhere, WrittenOff, order_state_refusal
from orders.services.pauses import pause_order, resume_order

#: States in which something of an order is owed or was paid.
_BILLED = (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED)


@dataclass(frozen=True, slots=True)
class Refundable:
    """A locked order with the unpaid and the paid part of its principal."""

    order: Order
    owed: Money
    paid: Money


@join_transaction()
def lock_refundable(order_id: UUID) -> Refundable:
    """Lock the order with the owed and paid amounts of its principal. Late fees are never refunded.

    Raises:
        NotFound: there is no such order.
        OrderState: it is not completed yet, or was cancelled.
        PaidElsewhere: the money was not paid through us.
        DeductionInFlight: the outcome of a deduction is unknown.
        WrittenOff: it was written off.
    """
    order = Order.objects.locked(order_id)
    if order.state not in _BILLED:
        raise order_state_refusal(order.state)
    if order.history.filter(kind="paid_elsewhere").exists():
        raise PaidElsewhere
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(row.in_flight for row in obligations):
        raise DeductionInFlight(retry_after=5)
    if any(row.state == Obligation.State.WRITTEN_OFF and row.kind != Obligation.Kind.LATE_FEE for row in obligations):
        raise WrittenOff
    principal = [row for row in obligations if row.kind == Obligation.Kind.PRINCIPAL]
    owed, paid = sum(row.owed.minor for row in principal), sum(row.paid_minor for row in principal)
    return Refundable(order, Money(owed, order.currency), Money(paid, order.currency))


@join_transaction()
def record_refund(
    order_id: UUID, amount: Money, *, advanced: bool, is_repeat: bool, by: Actor, at: datetime, refund: str
) -> Order:
    """Record a refund to the person, charged to the merchant or `advanced` by us.

    A repeat (`is_repeat`) of an early refund that the person had repaid is already counted in the order.
    """
    order = Order.objects.locked(order_id)
    if not is_repeat:
        order.add_refund(amount, advanced=advanced)
    order.record("refunded", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@join_transaction()
def charge_refund_to_merchant(order_id: UUID, amount: Money, *, by: Actor, at: datetime, refund: str) -> Order:
    """An early refund that the person had repaid is refunded again: charge it to the merchant this time."""
    order = Order.objects.locked(order_id)
    order.charge_advance(amount)
    order.record("refund_borne", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@join_transaction()
def uncharge_refund(order_id: UUID, amount: Money, *, by: Actor, at: datetime, refund: str) -> Order:
    """The refund could not be paid: undo `charge_refund_to_merchant`."""
    order = Order.objects.locked(order_id)
    order.uncharge_advance(amount)
    order.record("refund_failed", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@join_transaction()
def pause_for_refund(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """Pause the order while a refund is in progress."""
    order = Order.objects.locked(order_id)
    if order.state in (Order.State.COMPLETED, Order.State.OVERDUE):
        pause_order(order_id, Pause.Reason.REFUND, by=by, at=at)


@join_transaction()
def resume_after_refund(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """Resume the order when no refund is in progress any more."""
    resume_order(order_id, Pause.Reason.REFUND, by=by, at=at)
