"""Alarm clocks of accounts."""

from celery import shared_task

from accounts import deliver
from accounts.models import Delivery
from kernel.sweeps import everywhere


@shared_task
def deliver_notices() -> None:
    """Send what people are to be told by now."""
    everywhere(Delivery, "next_at", lambda realm, at, limit: deliver.deliver_due(realm, at=at, limit=limit), batch=100)
