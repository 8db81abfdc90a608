"""The service has ended: completed, cancelled, lowered, or paid elsewhere."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from credit import services as credit
from credit.used import Delta, change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import FieldError
from kernel.transactions import joined
from ledger import services as ledger
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import (
    AboveCeiling,
    AlreadyCollected,
    EndsInFuture,
    OrderState,
    TimesInvalid,
    TotalInvalid,
    TotalRaised,
)
from orders.services.forgive import ended, free, principal, shrink, still_owed, untouched, waive, waive_late_fees
from orders.services.pause import hold_reported
from orders.services.promise import change_for, keep_promise, note_less_owed, put_right
from orders.services.tell import news_of, tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """How the merchant says the service ended."""

    total: int | None = None
    items: Sequence[dict[str, Any]] | None = None
    discounts: Sequence[dict[str, Any]] = ()
    ends_at: datetime | None = None
    due_at: datetime | None = None
    end_location: str = ""

    @property
    def digest(self) -> bytes:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).digest()


@joined()
def complete_order(order_id: UUID, final: Final, *, by: Actor, at: datetime) -> Order:
    """The service has ended: the held ceiling becomes what the person owes, due at the agreed time.

    The same completion again returns the order as it is. Of a total of zero nothing is owed: it is done at once, and
    no promise was kept.

    Raises:
        NotFound: there is no such order.
        OrderState: it is not open, or was completed otherwise.
        TotalInvalid, AboveCeiling, EndsInFuture, TimesInvalid: the figures do not fit.
    """
    order = Order.objects.locked(order_id)
    if order.final_hash is not None and bytes(order.final_hash) == final.digest:
        return order
    if order.state != Order.State.OPEN:
        raise OrderState(f"The order is {order.state}.")
    due_at = _due(order, final, at=at)
    total = _total(order, final)
    ended = final.ends_at or min(order.ends_at or at, at)  # what was foreseen for later has ended now
    changes: dict[str, Any] = {"final_hash": final.digest, "ends_at": ended}
    if final.items is not None:
        changes |= {"items": list(final.items), "discounts": list(final.discounts)}
    elif order.items and rules.summed(order.items, order.discounts) != total.minor:
        changes |= {"items": [], "discounts": []}  # they were foreseen, and it came to something else
    if final.end_location:
        changes["end_location"] = final.end_location
    order.complete(total, at=at, **changes)
    order.record("completed", by=by, at=at, total=total.minor)
    deltas = [change_for(order, held_minor=-order.ceiling_minor, outstanding_minor=total.minor, open_orders=-1)]
    news = [news_of(order, "order.completed", due_at=due_at)]
    if total:
        record_all([_obligation(order, due_at)], "owed", by=by, at=at)
        hold_reported(order, at=at)
    else:
        deltas.append(keep_promise(order, at=at))
        order.record("deducted", by=by, at=at)
        news.append(news_of(order, "order.deducted"))
    _settle_credit(order, deltas, by=by, at=at)
    facts = [Fact(order.id, "completed", rules.completion_moves(total, order.terms), order.id)]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    tell(news, realm_id=order.realm_id, at=at)
    return order


@joined()
def cancel_order(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """The order is called off; what is owed of it is forgiven, and counts as never owed. Twice with one reason is once.

    Raises:
        NotFound: there is no such order.
        OrderState: it has ended already.
        AlreadyCollected, WrittenOff: money was taken for it; it was given up as lost.
        DeductionInFlight: money may be on its way.
        SecondNeeded: late fees would fall away, and a colleague does it alone.
    """
    order = Order.objects.locked(order_id)
    if order.state == Order.State.CANCELLED and order.cancel_reason == reason:
        return order
    before = order.state
    if before not in (Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(f"The order is {before}.")
    every = untouched(order)
    obligations = still_owed(every)
    delta = change_for(order)
    if before == Order.State.OPEN:
        delta.held_minor, delta.open_orders = -order.ceiling_minor, -1
    for obligation in obligations:
        delta.outstanding_minor -= obligation.owed.minor
    delta.overdue_orders, delta.eased_orders = -(before == Order.State.OVERDUE), -(order.eased_at is not None)
    order.cancel(reason, at=at)
    righted = put_right(order)
    order.record("cancelled", by=by, at=at, reason=reason)
    waived = waive(obligations, by=by, at=at)
    fees, forgiven = waive_late_fees(order, every, by=by, at=at)
    _settle_credit(order, [delta, *fees, *righted], by=by, at=at)
    if order.total:
        moves = rules.reduction_moves(order.total, order.total, order.terms)
        ledger.post([Fact(order.id, "cancelled", moves, order.id)], realm_id=order.realm_id, at=at)
    news = [news_of(order, "order.cancelled", reason=reason), *waived, *forgiven]
    tell(news, realm_id=order.realm_id, at=at)
    return order


@joined()
def lower_total(order_id: UUID, total: int, reason: str, *, by: Actor, at: datetime) -> Order:
    """After completion the merchant asks for less. The same total again changes nothing.

    Of a total of nothing, nothing was ever owed: a promise that counted as broken was not.

    Raises:
        NotFound, OrderState: there is no such order; it is not completed or overdue.
        TotalRaised: it would be more than now.
        AlreadyCollected, WrittenOff: less than was taken already; it was given up as lost.
        DeductionInFlight: money may be on its way.
        SecondNeeded: late fees would fall away, and a colleague does it alone.
    """
    order = Order.objects.locked(order_id)
    if order.total_minor == total and order.state in (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED):
        return order
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(f"The order is {order.state}.")
    if total > order.total.minor:
        raise TotalRaised(f"The total is {order.total.minor}.")
    every = free(order)
    obligations = principal(every)
    if total < sum(obligation.paid_minor for obligation in obligations):
        raise AlreadyCollected("More than that was collected already; refund the difference.")
    before = order.total
    order.lower(Money(total, order.currency))
    righted = [] if total else put_right(order)
    line = order.record("modified", by=by, at=at, total=total, reason=reason)
    lowered = shrink(obligations, before.minor - total, by=by, at=at)
    fees, forgiven = waive_late_fees(order, [] if total else every, by=by, at=at)
    deltas = [change_for(order, outstanding_minor=total - before.minor), *fees, *righted]
    news = [news_of(order, "order.modified", reason=reason), *lowered, *forgiven]
    changes, ends = note_less_owed(order, every, by=by, at=at)
    _settle_credit(order, [*deltas, *changes], by=by, at=at)
    kept = before - order.refunded + Money(order.by_us_minor, order.currency)
    moves = rules.reduction_moves(before - order.total, kept, order.terms)
    ledger.post([Fact(line.id, "modified", moves, order.id)], realm_id=order.realm_id, at=at)
    tell([*news, *ends], realm_id=order.realm_id, at=at)
    return order


@joined()
def mark_paid(order_id: UUID, paid_at: datetime | None, reference: str, *, by: Actor, at: datetime) -> Order:
    """The person paid the merchant some other way: nothing is owed through us any more. Twice is once.

    Whoever does not say when (`paid_at` is None) means that it is so by now. What was paid before it fell overdue is a
    promise kept, however late its merchant says so.

    Raises:
        NotFound: there is no such order.
        OrderState: it is not completed or overdue, or was paid under this reference at another time.
        AlreadyCollected, WrittenOff: we took money for it; it was given up as lost.
        DeductionInFlight: money may be on its way.
        SecondNeeded: late fees would fall away, and a colleague does it alone.
        TimesInvalid: paid in the future, or before the minute in which the order came to be.
    """
    order = Order.objects.locked(order_id)
    marked = order.history.filter(kind="paid_elsewhere").first()
    if marked is not None and marked.data.get("reference") == reference:
        then = datetime.fromisoformat(marked.data["paid_at"])
        if paid_at not in (None, then):
            raise OrderState(f"Under this reference it was marked as paid at {then.isoformat()}.")
        return order
    paid_at = _paid_at(order, paid_at, at=at)
    if order.state == Order.State.DEDUCTED:
        raise AlreadyCollected("It was marked as paid before, under another reference." if marked else "")
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(f"The order is {order.state}.")
    every = untouched(order)
    obligations = still_owed(every)
    owed = sum(obligation.owed.minor for obligation in obligations)
    for obligation in obligations:
        obligation.finish()
    record_all(obligations, "paid_elsewhere", by=by, at=at)
    fees, forgiven = waive_late_fees(order, every, by=by, at=at)
    righted = put_right(order) if order.overdue_at and paid_at < order.overdue_at else []
    deltas = [change_for(order, outstanding_minor=-owed), *fees, *righted, keep_promise(order, at=at)]
    order.record("paid_elsewhere", by=by, at=at, reference=reference, paid_at=paid_at)
    _settle_credit(order, deltas, by=by, at=at)
    facts = [Fact(order.id, "paid_elsewhere", rules.elsewhere_moves(order.total, order.terms), order.id)]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    tell(
        [*ended(obligations), *forgiven, news_of(order, "order.deducted", paid_elsewhere=True)],
        realm_id=order.realm_id,
        at=at,
    )
    return order


def _paid_at(order: Order, said: datetime | None, *, at: datetime) -> datetime:
    """When it was paid, as its merchant says, who may write whole minutes; or by now."""
    if said is None:
        return at
    if said > at:
        raise TimesInvalid("paid_at is in the future.", errors=[FieldError("/paid_at", rules.clock_says(at))])
    if said < order.created_at.replace(second=0, microsecond=0):
        raise TimesInvalid("paid_at is before the order came to be.", field="/paid_at")
    return said


def _due(order: Order, final: Final, *, at: datetime) -> datetime:
    """When it is owed: as said, or at once."""
    if final.ends_at and final.ends_at > at:
        raise EndsInFuture(errors=[FieldError("/ends_at", rules.clock_says(at))])
    if final.ends_at and order.starts_at and final.ends_at < order.starts_at:
        raise TimesInvalid("ends_at is before starts_at.", field="/ends_at")
    if final.due_at and final.due_at > at + rules.DUE_LATEST:
        raise TimesInvalid(f"due_at is more than {rules.DUE_LATEST.days} days away.", field="/due_at")
    return max(final.due_at or at, at)


def _total(order: Order, final: Final) -> Money:
    items, most = final.items or (), order.ceiling_minor
    try:
        total = rules.total_of(final.total, items, final.discounts, ceiling=most, default=order.amount_minor)
    except rules.AboveCeilingError as exc:
        raise AboveCeiling(str(exc), field=exc.field) from None
    except rules.TotalError as exc:
        raise TotalInvalid(str(exc), field=exc.field) from None
    return Money(total, order.currency)


def _obligation(order: Order, due_at: datetime) -> Obligation:
    return Obligation(
        realm_id=order.realm_id,
        order=order,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        currency=order.currency,
        amount_minor=order.total.minor,
        due_at=due_at,
        overdue_from=due_at + order.grace,
        collect_at=due_at,
        plan=[{"at": due_at.isoformat(), "instrument": None, "reason": "due"}],
    )


def _settle_credit(order: Order, deltas: Sequence[Delta], *, by: Actor, at: datetime) -> None:
    """Carry it into the profile, and let the agreement go if this was its last order."""
    change_profiles(deltas, at=at)
    if order.state in (Order.State.DEDUCTED, Order.State.CANCELLED):
        credit.leave_orders([order.agreement_id], by=by, at=at)
