"""Orders that wait for their person's yes do not wait for ever."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import services as credit
from kernel.actor import Actor
from kernel.sweeps import Sweep, counted
from orders.models import Order
from orders.services.tell import news_of, tell


def expire_unconfirmed(realm_id: int, *, at: datetime, limit: int) -> int:
    """Orders nobody confirmed in time end by themselves. Returns how many did.

    Raises:
        Exception: the last of what went wrong with orders that cannot be ended even alone; they are still due.
    """
    due = Order.objects.filter(realm_id=realm_id, expires_at__lte=at).order_by("expires_at", "id")
    keys = list(due.values_list("id", flat=True)[:limit])
    return counted(keys, lambda some: _expire(realm_id, some, at=at), told="order_not_expired")


@transaction.atomic
def _expire(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> int:
    due = Order.objects.filter(pk__in=keys, expires_at__lte=at).order_by("expires_at", "id")
    orders = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True))
    by = Actor.system("expire")
    for order in orders:
        order.expire()
        order.record("expired", by=by, at=at)
    if orders:
        credit.leave_orders([order.agreement_id for order in orders], by=by, at=at)
        tell((news_of(order, "order.expired") for order in orders), realm_id=realm_id, at=at)
    return len(orders)


UNCONFIRMED = Sweep(
    name="expire",
    act=expire_unconfirmed,
    first="SELECT min(expires_at) FROM orders_order WHERE realm_id = %(realm)s AND expires_at IS NOT NULL",
    work=Order,
    column="expires_at",
)
