"""Scheduled Celery tasks of the office app."""

from celery import shared_task

from kernel.clock import live_now
from kernel.sweeps import TIME_BUDGET_SECONDS
from office.services import list_exports, proposals, tally


@shared_task
def count_up() -> None:
    """Count new history into the daily tallies."""
    tally.count_all(real=live_now())


@shared_task
def expire_proposals() -> None:
    """Expire proposals that were not decided in time."""
    proposals.expire_due(at=live_now())


@shared_task
def make_files() -> None:
    """Delete expired export files and continue the requested ones."""
    list_exports.delete_expired_exports(at=live_now())
    list_exports.process_exports(at=live_now(), seconds=TIME_BUDGET_SECONDS)
