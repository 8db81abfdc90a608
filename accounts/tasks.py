"""Alarm clocks of accounts."""

from celery import shared_task

from accounts import deliver


@shared_task
def deliver_notices() -> None:
    """Send what people are to be told by now."""
    deliver.QUEUED.ring()
