"""Alarm clock of the office."""

from celery import shared_task

from kernel.clock import live_now
from office.services import proposals, tally


@shared_task
def count_up() -> None:
    """Count what has happened since the last time, for the console's figures."""
    tally.count_all(real=live_now())


@shared_task
def expire_proposals() -> None:
    """End what no second colleague agreed to in time."""
    proposals.expire_due(at=live_now())
