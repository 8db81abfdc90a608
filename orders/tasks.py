"""Alarm clocks of orders."""

from celery import shared_task

from orders import services


@shared_task
def expire_unconfirmed() -> None:
    """End orders their person never confirmed."""
    services.UNCONFIRMED.ring()
