"""Alarm clock of the office."""

from celery import shared_task

from kernel.clock import live_now
from kernel.sweeps import WORKS_FOR_SECONDS
from office.services import files, proposals, tally


@shared_task
def count_up() -> None:
    """Count what has happened since the last time, for the console's figures."""
    tally.count_all(real=live_now())


@shared_task
def expire_proposals() -> None:
    """End what no second colleague agreed to in time."""
    proposals.expire_due(at=live_now())


@shared_task
def make_files() -> None:
    """Go on with the long lists that colleagues asked for, and throw away the files that have expired."""
    files.empty_files(at=live_now())
    files.make_files(at=live_now(), seconds=WORKS_FOR_SECONDS)
