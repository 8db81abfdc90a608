"""A promise kept: what the end of an owed order means for its person."""

from datetime import datetime
from typing import Any

from credit.used import Delta
from orders.models import Order


def change_for(order: Order, **changes: Any) -> Delta:
    """What something that happened to the order changes for its person."""
    return Delta(order.person_id, order.currency, **changes)


def keep_promise(order: Order, *, at: datetime) -> Delta:
    """Nothing is owed of the order any more: it is done, and the person's record says whether it was in time."""
    was_overdue, breached = order.state == Order.State.OVERDUE, order.overdue_at is not None
    order.settle(at=at)
    return change_for(
        order,
        overdue_orders=-1 if was_overdue else 0,
        kept_orders=0 if breached else 1,
        eased_orders=-1 if order.eased_at else 0,
        score_step="cleared" if breached else "kept",
        order_id=order.id,
    )
