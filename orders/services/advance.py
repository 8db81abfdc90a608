"""What was given back ahead of a return: in the end the merchant bears it, the person owes it again, or we bear it."""

from datetime import datetime
from uuid import UUID

from credit import services as credit
from credit.used import Delta, change_profiles
from kernel.actor import Actor
from kernel.money import Money
from kernel.transactions import joined
from ledger import services as ledger
from ledger.rules import ADVANCES, LOSSES, Move
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight
from orders.services.pause import hold_reported
from orders.services.reopen import broken
from orders.services.tell import news_of, tell

#: How the book calls each end.
CONFIRMED, DENIED, BORNE = "return_confirmed", "return_denied", "return_borne"


@joined()
def bear_return(order_id: UUID, amount: Money, kept: Money, *, cause: UUID, by: Actor, at: datetime) -> Order:
    """The merchant has the goods again and bears what we gave back, of `kept`; the fee on it is theirs again."""
    order = Order.objects.locked(order_id)
    order.bear(amount)
    order.record("return_borne", by=by, at=at, amount=amount.minor)
    moves = rules.refund_moves(amount, kept, ADVANCES, order.terms)
    ledger.post([Fact(cause, CONFIRMED, moves, order_id)], realm_id=order.realm_id, at=at)
    return order


@joined()
def owe_advance(order_id: UUID, amount: Money, *, cause: UUID, by: Actor, at: datetime) -> Obligation:
    """The goods did not come back: the person owes us what we gave back. Nothing is planned for it.

    Raises:
        DeductionInFlight: something of the order is being collected.
    """
    order = Order.objects.locked(order_id)
    rows = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(row.in_flight for row in rows):
        raise DeductionInFlight(retry_after=30)
    obligation = Obligation(
        realm_id=order.realm_id,
        order=order,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        kind=Obligation.Kind.ADVANCE,
        sequence=max(row.sequence for row in rows) + 1,
        currency=order.currency,
        amount_minor=amount.minor,
        state=Obligation.State.OVERDUE,
        due_at=at,
        by_hand=True,
        day_end_at=rules.next_midnight(at, order.person.zone),
    )
    if order.pauses.filter(ended_at__isnull=True).exists():
        obligation.stand_still(at=at)
    obligation.record("owed", by=by, at=at)
    deltas = [Delta(order.person_id, amount.currency, outstanding_minor=amount.minor)]
    falls, again = order.state != Order.State.OVERDUE, order.state == Order.State.DEDUCTED
    if falls:
        deltas.append(broken(order))
        order.owe_again(at=at)
    order.record("return_denied", by=by, at=at, amount=amount.minor)
    change_profiles(deltas, at=at)
    credit.rejoin_orders([order.agreement_id] if again else [])
    moves = [Move(order.terms.person, ADVANCES, amount)]
    ledger.post([Fact(cause, DENIED, moves, order_id)], realm_id=order.realm_id, at=at)
    if falls:
        tell([news_of(order, "order.overdue")], realm_id=order.realm_id, at=at)
    hold_reported(order, at=at)
    return obligation


@joined()
def lose_advance(order_id: UUID, amount: Money, *, cause: UUID, by: Actor, at: datetime) -> Order:
    """The goods did not come back, and we bear it: the person owes nothing, and the merchant keeps what they had."""
    order = Order.objects.locked(order_id)
    order.record("return_lost", by=by, at=at, amount=amount.minor)
    moves = [Move(LOSSES, ADVANCES, amount)]
    ledger.post([Fact(cause, BORNE, moves, order_id)], realm_id=order.realm_id, at=at)
    return order
