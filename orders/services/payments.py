"""Payments received: mark obligations and orders as paid, and post recoveries of written-off debts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credit import services as credit
from credit.usage import apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.prepared_statements import PreparedQuery
from kernel.transactions import join_transaction
from ledger import services as ledger
from ledger.accounts import Account, Move
from ledger.services import JournalEntry
from orders import rules
from orders.models import Obligation, Order
from orders.services.events import obligation_event, order_event, publish_events
from orders.services.promises import delta_for, update_order_state

_ORDERS_OF = PreparedQuery(lambda keys: Obligation.objects.filter(pk__any=keys).values_list("order_id"), ["uuid[]"])
_LOCKED_OBLIGATIONS = PreparedQuery(
    lambda orders: (
        Obligation.objects.select_for_update(of=("self",), no_key=True).filter(order_id__any=orders).order_by("pk")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class Payment:
    """Money collected for one obligation; `cause` is the deduction line it came from."""

    obligation_id: UUID
    amount: Money
    cause: UUID
    #: The channel's clearing account, where the money is now.
    clearing: Account


@join_transaction()
def receive_payments(payments: Sequence[Payment], *, by: Actor, at: datetime) -> list[Order]:
    """Book payments for obligations of one realm, and finish orders that are paid in full.

    An order whose late obligations are all paid is no longer overdue, even if other parts are due later.

    The caller makes sure that each payment is reported once (the deduction changes its state once). Returns the orders
    in their new state.
    """
    by_id = {payment.obligation_id: payment for payment in payments}
    order_ids = {order_id for (order_id,) in _ORDERS_OF.rows(list(by_id))}
    orders = {order.id: order for order in Order.objects.locked_all(order_ids)}
    siblings: dict[UUID, list[Obligation]] = {key: [] for key in orders}
    for row in _LOCKED_OBLIGATIONS.rows(list(orders)):
        siblings[row.order_id].append(row)
    entries, deltas = [], []
    paid = [row for rows in siblings.values() for row in rows if row.id in by_id]
    for row in paid:
        payment = by_id[row.id]
        order = row.order = orders[row.order_id]
        was_written_off = row.state == Obligation.State.WRITTEN_OFF
        moves = _payment_moves(row, payment.amount, _principal_paid(order, siblings[order.id]), payment.clearing)
        _apply_payment(row, payment.amount)
        entries.append(JournalEntry(payment.cause, "recovered" if was_written_off else "collected", moves, order.id))
        deltas.append(delta_for(order, outstanding_minor=0 if was_written_off else -payment.amount.minor))
    finished = [row for row in paid if not row.owed]
    record_all(finished, "paid", by=by, at=at)
    record_all([row for row in paid if row.owed], "part_paid", by=by, at=at)
    events = [obligation_event(row, "obligation.paid") for row in finished]
    state_deltas = {order: update_order_state(order, siblings[order.id], at=at) for order in orders.values()}
    deltas += [delta for delta in state_deltas.values() if delta is not None]
    deducted = [order for order in state_deltas if order.state == Order.State.DEDUCTED]
    caught_up = [
        order for order, delta in state_deltas.items() if delta is not None and order.state != Order.State.DEDUCTED
    ]
    record_all(deducted, "deducted", by=by, at=at)
    record_all(caught_up, "caught_up", by=by, at=at)
    events += [order_event(order, "order.deducted") for order in deducted]
    events += [order_event(order, "order.caught_up") for order in caught_up]
    apply_deltas(deltas, at=at)
    credit.remove_live_orders([order.agreement_id for order in deducted], by=by, at=at)
    realm_id = paid[0].realm_id
    ledger.post(entries, realm_id=realm_id, at=at)
    publish_events(events, realm_id=realm_id, at=at)
    return list(orders.values())


def _apply_payment(row: Obligation, amount: Money) -> None:
    """Pay the obligation in full or in part, and end its in-flight state."""
    row.in_flight = None
    if amount == row.owed:
        row.mark_paid()
    else:
        row.pay_part(amount)
        row.schedule_next()


def _payment_moves(row: Obligation, amount: Money, before: Money, clearing: Account) -> list[Move]:
    """The ledger moves: late fees and early refunds are owed to us, principal to the merchant."""
    platform_owned, terms = row.kind != Obligation.Kind.PRINCIPAL, row.order.terms
    if row.state == Obligation.State.WRITTEN_OFF:
        return rules.recovery_moves(amount, before, clearing, terms, platform_liable=platform_owned or terms.is_advance)
    if platform_owned:
        return [Move(clearing, terms.receivable, amount)]
    return rules.collection_moves(amount, before, clearing, terms)


def _principal_paid(order: Order, rows: Sequence[Obligation]) -> Money:
    """The principal paid so far that the merchant kept: the basis of their fee."""
    principal = sum(row.paid_minor for row in rows if row.kind == Obligation.Kind.PRINCIPAL)
    return Money(principal - order.refunded_minor + order.platform_funded_minor, order.currency)
