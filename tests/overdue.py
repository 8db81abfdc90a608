"""Marks due obligations as overdue, as if their planned attempts had failed."""

from datetime import datetime

from orders import services as orders
from orders.models import Obligation


def clear_due_plans(realm_id: int, *, at: datetime) -> None:
    """Clear the plans of obligations that are due and were not attempted, as if all attempts had failed."""
    never = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at, plan__0__reason="due")
    never.update(collect_at=None, plan=[])


def make_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """Mark obligations overdue whose grace period has passed, as if all attempts had failed."""
    clear_due_plans(realm_id, at=at)
    return orders.mark_overdue(realm_id, at=at, limit=limit)
