"""Money has arrived: obligations are paid, orders done, the book written; what was given up as lost is recovered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credit import services as credit
from credit.used import change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.prepared import Reading
from kernel.transactions import joined
from ledger import services as ledger
from ledger.rules import Account, Move
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.services.promise import change_for, less_owed
from orders.services.tell import news_of, news_of_obligation, tell

_ORDERS_OF = Reading(lambda keys: Obligation.objects.filter(pk__any=keys).values_list("order_id"), ["uuid[]"])
_SIBLINGS = Reading(
    lambda orders: (
        Obligation.objects.select_for_update(of=("self",), no_key=True).filter(order_id__any=orders).order_by("pk")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that was taken for one obligation; `cause` is the deduction's line that did it."""

    obligation_id: UUID
    amount: Money
    cause: UUID
    #: The channel's account in the book, where the money is now.
    clearing: Account


@joined()
def receive(payments: Sequence[Payment], *, by: Actor, at: datetime) -> list[Order]:
    """Money has arrived for these obligations of one realm: it is booked, and orders paid in full are done.

    An order of which everything late is paid is not overdue any more, though parts of it are due later.

    The caller has made sure that each payment is reported once (its deduction's state moves once).
    Returns the orders, each as it stands now.
    """
    by_id = {payment.obligation_id: payment for payment in payments}
    order_ids = {order_id for (order_id,) in _ORDERS_OF.rows(list(by_id))}
    orders = {order.id: order for order in Order.objects.locked_all(order_ids)}
    siblings: dict[UUID, list[Obligation]] = {key: [] for key in orders}
    for row in _SIBLINGS.rows(list(orders)):
        siblings[row.order_id].append(row)
    facts, deltas = [], []
    paid = [row for rows in siblings.values() for row in rows if row.id in by_id]
    for row in paid:
        payment = by_id[row.id]
        order = row.order = orders[row.order_id]
        lost = row.state == Obligation.State.WRITTEN_OFF
        moves = _moves(row, payment.amount, _principal_paid(order, siblings[order.id]), payment.clearing)
        _take(row, payment.amount)
        facts.append(Fact(payment.cause, "recovered" if lost else "collected", moves, order.id))
        deltas.append(change_for(order, outstanding_minor=0 if lost else -payment.amount.minor))
    finished = [row for row in paid if not row.owed]
    record_all(finished, "paid", by=by, at=at)
    record_all([row for row in paid if row.owed], "part_paid", by=by, at=at)
    news = [news_of_obligation(row, "obligation.paid") for row in finished]
    ends = {order: less_owed(order, siblings[order.id], at=at) for order in orders.values()}
    deltas += [delta for delta in ends.values() if delta is not None]
    done = [order for order in ends if order.state == Order.State.DEDUCTED]
    caught = [order for order, delta in ends.items() if delta is not None and order.state != Order.State.DEDUCTED]
    record_all(done, "deducted", by=by, at=at)
    record_all(caught, "caught_up", by=by, at=at)
    news += [news_of(order, "order.deducted") for order in done]
    news += [news_of(order, "order.caught_up") for order in caught]
    change_profiles(deltas, at=at)
    credit.leave_orders([order.agreement_id for order in done], by=by, at=at)
    realm_id = paid[0].realm_id
    ledger.post(facts, realm_id=realm_id, at=at)
    tell(news, realm_id=realm_id, at=at)
    return list(orders.values())


def _take(row: Obligation, amount: Money) -> None:
    """It is paid, or this part of it, and free again."""
    row.in_flight = None
    if amount == row.owed:
        row.finish()
    else:
        row.take_part(amount)
        row.wait_for_next()


def _moves(row: Obligation, amount: Money, before: Money, clearing: Account) -> list[Move]:
    """What the book says of it: late fees and advances are ours; of what was bought the merchant has the rest."""
    ours, terms = row.kind != Obligation.Kind.PRINCIPAL, row.order.terms
    if row.state == Obligation.State.WRITTEN_OFF:
        return rules.recovery_moves(amount, before, clearing, terms, ours=ours or terms.advance)
    if ours:
        return [Move(clearing, terms.person, amount)]
    return rules.collection_moves(amount, before, clearing, terms)


def _principal_paid(order: Order, rows: Sequence[Obligation]) -> Money:
    """What was paid so far of what was bought, and the merchant kept: what their fee is counted from."""
    principal = sum(row.paid_minor for row in rows if row.kind == Obligation.Kind.PRINCIPAL)
    return Money(principal - order.refunded_minor + order.by_us_minor, order.currency)
