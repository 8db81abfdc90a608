"""What collection asks of and reports to orders: due obligations claimed, paid, let go, or overdue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from credit import services as credit
from credit.services import Delta
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import NotFound
from ledger import services as ledger
from ledger.rules import Account, Move
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight, OrderState
from orders.services.promise import keep_promise
from orders.services.tell import news_of, news_of_obligation, tell


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that was taken for one obligation; `cause` is the deduction's line that did it."""

    obligation_id: UUID
    amount: Money
    cause: UUID
    #: The channel's account in the book, where the money is now.
    clearing: Account


@dataclass(frozen=True, slots=True)
class Release:
    """An attempt that took nothing: why, and what comes next."""

    obligation_id: UUID
    failure: Mapping[str, Any] | None
    #: The attempts to come from now on; None keeps those already planned.
    plan: Sequence[Mapping[str, Any]] | None


def lock_due(realm_id: int, *, at: datetime, limit: int) -> list[Obligation]:
    """Obligations to be collected by now, oldest first, locked; those another worker holds are passed over."""
    due = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at).order_by("collect_at", "id")
    return list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:limit])


def lock_owed(order_id: UUID) -> tuple[Order, list[Obligation]]:
    """What is owed of one order, locked with it, for somebody who wants to pay or collect now.

    Raises:
        NotFound: there is no such order.
        OrderState: nothing is owed of it.
        DeductionInFlight: it is being collected already.
    """
    order = Order.objects.locked(order_id)
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(f"The order is {order.state}.")
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(obligation.in_flight for obligation in obligations):
        raise DeductionInFlight(retry_after=5)
    return order, [obligation for obligation in obligations if obligation.owed]


def claim(pairs: Iterable[tuple[Obligation, UUID]], *, planned: bool) -> None:
    """These locked obligations are being collected by these deductions: nothing else may touch what they owe.

    A `planned` attempt is taken off the plan; any other leaves the plan as it is.
    """
    claimed = []
    for obligation, deduction_id in pairs:
        obligation.in_flight, obligation.collect_at = deduction_id, None
        obligation.attempts += 1
        if planned:
            obligation.plan = obligation.plan[1:]
        claimed.append(obligation)
    Obligation.objects.bulk_update(claimed, ["in_flight", "collect_at", "attempts", "plan"], batch_size=500)


def lock_obligation(obligation_id: UUID) -> Obligation:
    """One obligation, locked with its order, on which nothing is in flight.

    Raises:
        NotFound: there is no such obligation.
        DeductionInFlight: it is being collected.
    """
    found = Obligation.objects.filter(pk=obligation_id).values_list("order_id", flat=True).first()
    if found is None:
        raise NotFound
    order = Order.objects.locked(found)
    row = Obligation.objects.locked(obligation_id)
    if row.in_flight:
        raise DeductionInFlight(retry_after=5)
    row.order = order
    return row


def replan(obligation: Obligation, plan: Sequence[Mapping[str, Any]], *, moved_at: datetime | None = None) -> None:
    """This locked obligation is collected by another plan from now on."""
    obligation.plan, obligation.moved_at = list(plan), moved_at or obligation.moved_at
    obligation.wait_for_next()
    obligation.save(update_fields=["plan", "moved_at", "collect_at"])


def lock_owed_by(person_id: UUID) -> list[Obligation]:
    """Everything a person owes and nobody is collecting, oldest first, locked with its orders."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, in_flight__isnull=True)
    Order.objects.locked_all(set(owed.values_list("order_id", flat=True)))
    rows = list(owed.select_for_update(of=("self",)).order_by("pk"))
    return sorted(rows, key=lambda row: (row.due_at, row.id))


@transaction.atomic
def release(releases: Sequence[Release]) -> None:
    """Attempts ended without money: the obligations are free again, and wait for their next date."""
    by_id = {item.obligation_id: item for item in releases}
    rows = Obligation.objects.locked_all(by_id)
    for row in rows:
        item = by_id[row.id]
        row.in_flight = None
        if item.plan is not None:
            row.plan = list(item.plan)
        row.wait_for_next()
        row.last_failure = dict(item.failure) if item.failure else row.last_failure
    Obligation.objects.bulk_update(rows, ["in_flight", "collect_at", "plan", "last_failure"], batch_size=500)


@transaction.atomic
def receive(payments: Sequence[Payment], *, by: Actor, at: datetime) -> list[Order]:
    """Money has arrived for these obligations of one realm: it is booked, and orders paid in full are done.

    The caller has made sure that each payment is reported once (its deduction's state moves once).
    Returns the orders, each as it stands now.
    """
    by_id = {payment.obligation_id: payment for payment in payments}
    order_ids = Obligation.objects.filter(pk__in=by_id).values_list("order_id", flat=True)
    orders = {order.id: order for order in Order.objects.locked_all(set(order_ids))}
    siblings = list(
        Obligation.objects.select_for_update(of=("self",), no_key=True).filter(order_id__in=orders).order_by("pk")
    )
    facts, deltas = [], []
    paid = [row for row in siblings if row.id in by_id]
    for row in paid:
        payment = by_id[row.id]
        order = row.order = orders[row.order_id]
        moves = _moves(row, payment.amount, _principal_paid(order, siblings), payment.clearing)
        _take(row, payment.amount)
        facts.append(Fact(payment.cause, "collected", moves, order.id))
        deltas.append(Delta(order.person_id, outstanding_minor=-payment.amount.minor))
    finished = [row for row in paid if not row.owed]
    record_all(finished, "paid", by=by, at=at)
    record_all([row for row in paid if row.owed], "part_paid", by=by, at=at)
    news = [news_of_obligation(row, "obligation.paid") for row in finished]
    done = [o for o in orders.values() if not any(row.owed for row in siblings if row.order_id == o.id)]
    for order in done:
        deltas.append(keep_promise(order, at=at))
        news.append(news_of(order, "order.deducted"))
    record_all(done, "deducted", by=by, at=at)
    credit.change_profiles(deltas, at=at)
    credit.leave_orders([order.agreement_id for order in done], by=by, at=at)
    realm_id = siblings[0].realm_id
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
    """What the book says of it: a late fee is ours; of what was bought the merchant has the rest after the fee."""
    if row.kind == Obligation.Kind.LATE_FEE:
        return [Move(clearing, row.order.terms.person, amount)]
    return rules.collection_moves(amount, before, clearing, row.order.terms)


def _principal_paid(order: Order, rows: Sequence[Obligation]) -> Money:
    """What was paid so far of what was bought: what the merchant's fee is counted from."""
    principal = (row for row in rows if row.order_id == order.id and row.kind == Obligation.Kind.PRINCIPAL)
    return Money(sum(row.paid_minor for row in principal), order.currency)
