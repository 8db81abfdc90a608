"""Celery tasks of orders."""

from celery import shared_task

from orders import services


@shared_task
def expire_unconfirmed() -> None:
    """Expire orders that were not confirmed in time."""
    services.EXPIRY_SWEEP.run_due()
