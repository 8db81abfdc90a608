"""Alarm clocks of the house itself."""

import time

from celery import shared_task

from kernel import idempotency
from kernel.sweeps import WORKS_FOR_SECONDS

BATCH = 1_000


@shared_task
def forget_answers() -> None:
    """Delete answers that nobody can ask for under their key any more."""
    until = time.monotonic() + WORKS_FOR_SECONDS
    while idempotency.forget_old(limit=BATCH) == BATCH and time.monotonic() < until:
        pass
