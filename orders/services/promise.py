"""A promise kept, or caught up with: what it means for its person that less is owed of an order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from credit.used import Delta
from kernel.actor import Actor
from merchants.services import News
from orders.models import Obligation, Order
from orders.services.tell import news_of

_LATE = (Obligation.State.OVERDUE, Obligation.State.WRITTEN_OFF)


def change_for(order: Order, **changes: Any) -> Delta:
    """What something that happened to the order changes for its person."""
    return Delta(order.person_id, order.currency, **changes)


def keep_promise(order: Order, *, at: datetime) -> Delta:
    """Nothing is owed of the order any more: it is done, and the person's record says whether it was in time.

    An order that came to nothing promised nothing: it is no promise kept, or merchants could give their people points.
    """
    was_overdue, breached = order.state == Order.State.OVERDUE, order.overdue_at is not None
    kept = bool(order.total) and not breached
    order.settle(at=at)
    return change_for(
        order,
        overdue_orders=-1 if was_overdue else 0,
        kept_orders=int(kept),
        eased_orders=-1 if order.eased_at else 0,
        score_step="cleared" if breached else "kept" if kept else "",
        order_id=order.id,
    )


def put_right(order: Order) -> list[Delta]:
    """No promise was broken after all: it had been paid in time, or nothing was owed. What breaking it took comes back.

    The order was never overdue then, and ends as one that was not. The caller writes it down.
    """
    if order.overdue_at is None:
        return []
    order.overdue_at = None
    return [change_for(order, breached_orders=-1, score_step="righted", order_id=order.id)]


def less_owed(order: Order, rows: Sequence[Obligation], *, at: datetime) -> Delta | None:
    """Less is owed of an order's obligations: it is done where nothing is, overdue no more where nothing left is late.

    Returns what that changes for its person; None where it stays as it was.
    """
    if not any(row.owed for row in rows):
        return keep_promise(order, at=at)
    if order.state != Order.State.OVERDUE or any(row.state in _LATE for row in rows):
        return None
    order.start_anew()
    return change_for(order, overdue_orders=-1)


def note_less_owed(
    order: Order, rows: Sequence[Obligation], *, by: Actor, at: datetime
) -> tuple[list[Delta], list[News]]:
    """The same, with its line of the order's history, and what its merchant hears of it."""
    delta = less_owed(order, rows, at=at)
    if delta is None:
        return [], []
    done = order.state == Order.State.DEDUCTED
    order.record("deducted" if done else "caught_up", by=by, at=at)
    return [delta], [news_of(order, "order.deducted" if done else "order.caught_up")]
