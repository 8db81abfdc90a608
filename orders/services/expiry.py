"""Expire orders that the person did not confirm in time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit import services as credit
from kernel.actor import Actor
from kernel.sweeps import Sweep, count_bisecting
from orders.models import Order
from orders.services.events import order_event, publish_events


def expire_unconfirmed(realm_id: int, *, at: datetime, limit: int) -> int:
    """Expire unconfirmed orders. Returns how many.

    Raises:
        Exception: the last error of orders that could not be expired even alone; they are still due.
    """
    due = Order.objects.filter(realm_id=realm_id, expires_at__lte=at).order_by("expires_at", "id")
    keys = list(due.values_list("id", flat=True)[:limit])
    return count_bisecting(keys, lambda some: _expire(realm_id, some, at=at), event="order_not_expired")


@transaction.atomic
def _expire(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> int:
    due = Order.objects.filter(pk__in=keys, expires_at__lte=at).order_by("expires_at", "id")
    orders = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True))
    by = Actor.system("expire")
    for order in orders:
        order.expire()
        order.record("expired", by=by, at=at)
    if orders:
        credit.remove_live_orders([order.agreement_id for order in orders], by=by, at=at)
        publish_events((order_event(order, "order.expired") for order in orders), realm_id=realm_id, at=at)
    return len(orders)


EXPIRY_SWEEP = Sweep(
    name="expire",
    process_batch=expire_unconfirmed,
    first_due_sql="SELECT min(expires_at) FROM orders_order WHERE realm_id = %(realm)s AND expires_at IS NOT NULL",
    model=Order,
    due_column="expires_at",
)
