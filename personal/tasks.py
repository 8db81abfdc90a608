"""Celery tasks for exports and erasures. They use real time: see `personal.models`."""

from celery import shared_task

from kernel.clock import live_now
from kernel.sweeps import TIME_BUDGET_SECONDS
from personal.services import erasures, export_builder, exports


@shared_task
def make_exports() -> None:
    """Continue requested copies, and delete expired ones."""
    exports.prune_exports(at=live_now())
    export_builder.make_exports(at=live_now(), seconds=TIME_BUDGET_SECONDS)


@shared_task
def erase_people() -> None:
    """Execute erasure requests that are due."""
    erasures.erase_due(at=live_now())
