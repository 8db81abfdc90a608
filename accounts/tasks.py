"""Alarm clocks of accounts."""

import time

from celery import shared_task

from accounts import deliver, sessions
from kernel.clock import live_now
from kernel.sweeps import WORKS_FOR_SECONDS

BATCH = 1_000


@shared_task
def deliver_notices() -> None:
    """Send what people are to be told by now."""
    deliver.QUEUED.ring()


@shared_task
def forget_sessions() -> None:
    """Delete sessions that have expired, and what was noted of browsers whose session is gone."""
    at, until = live_now(), time.monotonic() + WORKS_FOR_SECONDS
    while sessions.forget_expired(at=at, limit=BATCH) == BATCH and time.monotonic() < until:
        pass
    last: int | None = 0
    while last is not None and time.monotonic() < until:
        last = sessions.forget_gone(last, at=at, limit=BATCH)
