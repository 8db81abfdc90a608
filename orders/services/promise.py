"""A promise kept: what the end of an owed order means for its person."""

from datetime import datetime

from credit.services import Delta
from orders.models import Order


def keep_promise(order: Order, *, at: datetime) -> Delta:
    """Nothing is owed of the order any more: it is done, and the person's record says whether it was in time."""
    was_overdue, breached = order.state == Order.State.OVERDUE, order.overdue_at is not None
    order.settle(at=at)
    return Delta(
        order.person_id,
        overdue_orders=-1 if was_overdue else 0,
        kept_orders=0 if breached else 1,
        eased_orders=-1 if order.eased_at else 0,
        score_step="cleared" if breached else "kept",
        order_id=order.id,
    )
