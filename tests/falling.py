"""What has come due falls overdue, having been asked for in vain."""

from datetime import datetime

from orders import services as orders
from orders.models import Obligation


def ask_in_vain(realm_id: int, *, at: datetime) -> None:
    """What has come due by then and nobody asked for was, and was not paid; nothing more is planned for it."""
    never = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at, plan__0__reason="due")
    never.update(collect_at=None, plan=[])


def fall(realm_id: int, *, at: datetime, limit: int) -> int:
    """And its grace has passed."""
    ask_in_vain(realm_id, at=at)
    return orders.mark_overdue(realm_id, at=at, limit=limit)
