"""Scheduled tasks of accounts."""

import time

from celery import shared_task

from accounts import deliver, sessions
from kernel.clock import live_now
from kernel.sweeps import TIME_BUDGET_SECONDS

BATCH = 1_000


@shared_task
def deliver_notices() -> None:
    """Send the copies of notices that are due."""
    deliver.SWEEP.run_due()


@shared_task
def forget_sessions() -> None:
    """Delete expired sessions, and records of browsers whose session no longer exists."""
    at, until = live_now(), time.monotonic() + TIME_BUDGET_SECONDS
    while sessions.prune_expired_sessions(at=at, limit=BATCH) == BATCH and time.monotonic() < until:
        pass
    last: int | None = 0
    while last is not None and time.monotonic() < until:
        last = sessions.prune_orphaned_browsers(last, at=at, limit=BATCH)
