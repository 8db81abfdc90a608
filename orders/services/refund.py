"""What refunding asks of orders: how much there is to give back, and what it means for the order."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.actor import Actor
from kernel.money import Money
from kernel.transactions import joined
from orders.models import Obligation, Order, Pause
from orders.refusals import DeductionInFlight, OrderState, PaidElsewhere, WrittenOff
from orders.services.pause import pause_order, resume_order

#: In which states something of an order is owed or was paid.
_BILLED = (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED)


@dataclass(frozen=True, slots=True)
class Refundable:
    """A locked order of which something may be given back: how much of what was bought is owed, and was paid."""

    order: Order
    owed: Money
    paid: Money


@joined()
def lock_refundable(order_id: UUID) -> Refundable:
    """The order and what is owed and paid of it without late fees, locked. Late fees are never refunded.

    Raises:
        NotFound: there is no such order.
        OrderState: it has not come to anything yet, or was called off.
        PaidElsewhere: the money never came through us.
        DeductionInFlight: whether it is owed or paid is not known right now.
        WrittenOff: it was given up as lost.
    """
    order = Order.objects.locked(order_id)
    if order.state not in _BILLED:
        raise OrderState(f"The order is {order.state}.")
    if order.history.filter(kind="paid_elsewhere").exists():
        raise PaidElsewhere
    every = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(row.in_flight for row in every):
        raise DeductionInFlight(retry_after=5)
    if any(row.state == Obligation.State.WRITTEN_OFF and row.kind != Obligation.Kind.LATE_FEE for row in every):
        raise WrittenOff
    bought = [row for row in every if row.kind == Obligation.Kind.PRINCIPAL]
    owed, paid = sum(row.owed.minor for row in bought), sum(row.paid_minor for row in bought)
    return Refundable(order, Money(owed, order.currency), Money(paid, order.currency))


@joined()
def give_back(
    order_id: UUID, amount: Money, *, advanced: bool, again: bool, by: Actor, at: datetime, refund: str
) -> Order:
    """So much of the order has come back to its person, borne by the merchant or `advanced` by us.

    What came back `again`, once paid a second time, was counted when it went ahead of a return.
    """
    order = Order.objects.locked(order_id)
    if not again:
        order.give_back(amount, advanced=advanced)
    order.record("refunded", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@joined()
def bear_again(order_id: UUID, amount: Money, *, by: Actor, at: datetime, refund: str) -> Order:
    """The merchant bears after all what we gave back ahead of a return that did not stand."""
    order = Order.objects.locked(order_id)
    order.bear(amount)
    order.record("refund_borne", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@joined()
def bear_no_more(order_id: UUID, amount: Money, *, by: Actor, at: datetime, refund: str) -> Order:
    """What the merchant was to bear so could not be given back."""
    order = Order.objects.locked(order_id)
    order.bear_no_more(amount)
    order.record("refund_failed", by=by, at=at, amount=amount.minor, refund=refund)
    return order


@joined()
def stop_for_refund(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """While money is on its way back, nothing that is still owed of the order is collected, counted or charged."""
    order = Order.objects.locked(order_id)
    if order.state in (Order.State.COMPLETED, Order.State.OVERDUE):
        pause_order(order_id, Pause.Reason.REFUND, by=by, at=at)


@joined()
def go_on_after_refund(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """No refund of it is open any more."""
    resume_order(order_id, Pause.Reason.REFUND, by=by, at=at)
