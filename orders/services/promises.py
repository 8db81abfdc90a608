"""What an order's payments mean for the person's promise record: promises kept, breached, and caught up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from credit.usage import ProfileDelta
from kernel.actor import Actor
from merchants.services import NewEvent
from orders.models import Obligation, Order
from orders.services.events import order_event

_LATE = (Obligation.State.OVERDUE, Obligation.State.WRITTEN_OFF)


def delta_for(order: Order, **changes: Any) -> ProfileDelta:
    """A profile change caused by this order."""
    return ProfileDelta(order.person_id, order.currency, **changes)


def finish_order(order: Order, *, at: datetime) -> ProfileDelta:
    """Finish an order of which nothing is owed, and return whether the promise was kept as a profile change.

    An order with a total of zero is not a promise kept, or merchants could raise their customers' scores.
    """
    was_overdue, was_breached = order.state == Order.State.OVERDUE, order.overdue_at is not None
    is_kept = bool(order.total) and not was_breached
    order.mark_deducted(at=at)
    return delta_for(
        order,
        overdue_orders=-1 if was_overdue else 0,
        kept_orders=int(is_kept),
        eased_orders=-1 if order.eased_at else 0,
        score_step="cleared" if was_breached else "kept" if is_kept else "",
        order_id=order.id,
    )


def undo_breach(order: Order) -> list[ProfileDelta]:
    """Undo a breach: the order was paid in time after all, or nothing was owed. The points taken come back.

    The order then counts as never overdue. The caller records it.
    """
    if order.overdue_at is None:
        return []
    order.overdue_at = None
    return [delta_for(order, breached_orders=-1, score_step="righted", order_id=order.id)]


def update_order_state(order: Order, rows: Sequence[Obligation], *, at: datetime) -> ProfileDelta | None:
    """Update an order after less is owed: finish it if nothing is, or clear its overdue state if nothing late is left.

    Returns the profile change; None if the state stays.
    """
    if not any(row.owed for row in rows):
        return finish_order(order, at=at)
    if order.state != Order.State.OVERDUE or any(row.state in _LATE for row in rows):
        return None
    order.clear_overdue()
    return delta_for(order, overdue_orders=-1)


def record_order_state(
    order: Order, rows: Sequence[Obligation], *, by: Actor, at: datetime
) -> tuple[list[ProfileDelta], list[NewEvent]]:
    """The same, recorded in the order's history. Returns the profile changes and the events."""
    delta = update_order_state(order, rows, at=at)
    if delta is None:
        return [], []
    is_deducted = order.state == Order.State.DEDUCTED
    order.record("deducted" if is_deducted else "caught_up", by=by, at=at)
    return [delta], [order_event(order, "order.deducted" if is_deducted else "order.caught_up")]
