"""Alarm clocks of orders."""

from celery import shared_task

from kernel.sweeps import everywhere
from orders import services
from orders.models import Order


@shared_task
def expire_unconfirmed() -> None:
    """End orders their person never confirmed."""
    everywhere(
        Order, "expires_at", lambda realm, at, limit: services.expire_unconfirmed(realm, at=at, limit=limit), batch=100
    )
