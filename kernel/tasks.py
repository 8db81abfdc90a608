"""Scheduled jobs of the kernel."""

import time

from celery import shared_task

from kernel import idempotency
from kernel.sweeps import TIME_BUDGET_SECONDS

BATCH = 1_000


@shared_task
def forget_answers() -> None:
    """Delete saved answers whose idempotency key has expired."""
    until = time.monotonic() + TIME_BUDGET_SECONDS
    while idempotency.prune_expired(limit=BATCH) == BATCH and time.monotonic() < until:
        pass
