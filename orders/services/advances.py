"""Settle early refunds, which we paid ahead of a return: charge the merchant, charge the person, or write them off."""

from datetime import datetime
from uuid import UUID

from credit import services as credit
from credit.usage import ProfileDelta, apply_deltas
from kernel.actor import Actor
from kernel.money import Money
from kernel.transactions import join_transaction
from ledger import services as ledger
from ledger.accounts import ADVANCES, LOSSES, Move
from ledger.services import JournalEntry
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight
from orders.services.events import order_event, publish_events
from orders.services.pauses import pause_if_reported
from orders.services.returned_deductions import breach_deltas

#: Posting kinds of the three outcomes.
ADVANCE_TO_MERCHANT, ADVANCE_TO_PERSON, ADVANCE_WRITTEN_OFF = "return_confirmed", "return_denied", "return_borne"


@join_transaction()
def charge_advance_to_merchant(
    order_id: UUID, amount: Money, kept: Money, *, cause: UUID, by: Actor, at: datetime
) -> Order:
    """The merchant received the goods: charge them for the early refund, out of `kept`, and return the fee on it."""
    order = Order.objects.locked(order_id)
    order.charge_advance(amount)
    order.record("return_borne", by=by, at=at, amount=amount.minor)
    moves = rules.refund_moves(amount, kept, ADVANCES, order.terms)
    ledger.post([JournalEntry(cause, ADVANCE_TO_MERCHANT, moves, order_id)], realm_id=order.realm_id, at=at)
    return order


@join_transaction()
def charge_advance_to_person(order_id: UUID, amount: Money, *, cause: UUID, by: Actor, at: datetime) -> Obligation:
    """The goods did not come back: the person owes us the early refund. Nothing is deducted automatically.

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
        obligation.pause(at=at)
    obligation.record("owed", by=by, at=at)
    deltas = [ProfileDelta(order.person_id, amount.currency, outstanding_minor=amount.minor)]
    becomes_overdue, was_deducted = order.state != Order.State.OVERDUE, order.state == Order.State.DEDUCTED
    if becomes_overdue:
        deltas += breach_deltas(order)
        order.reopen(at=at)
    order.record("return_denied", by=by, at=at, amount=amount.minor)
    apply_deltas(deltas, at=at)
    credit.restore_live_orders([order.agreement_id] if was_deducted else [])
    moves = [Move(order.terms.receivable, ADVANCES, amount)]
    ledger.post([JournalEntry(cause, ADVANCE_TO_PERSON, moves, order_id)], realm_id=order.realm_id, at=at)
    if becomes_overdue:
        publish_events([order_event(order, "order.overdue")], realm_id=order.realm_id, at=at)
    pause_if_reported(order, at=at)
    return obligation


@join_transaction()
def write_off_advance(order_id: UUID, amount: Money, *, cause: UUID, by: Actor, at: datetime) -> Order:
    """The goods did not come back and we take the loss: the person owes nothing, and the merchant keeps the money."""
    order = Order.objects.locked(order_id)
    order.record("return_lost", by=by, at=at, amount=amount.minor)
    moves = [Move(LOSSES, ADVANCES, amount)]
    ledger.post([JournalEntry(cause, ADVANCE_WRITTEN_OFF, moves, order_id)], realm_id=order.realm_id, at=at)
    return order
