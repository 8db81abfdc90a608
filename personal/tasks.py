"""Alarm clocks of what is a person's own. Real time: see `personal.models`."""

from celery import shared_task

from kernel.clock import live_now
from kernel.sweeps import WORKS_FOR_SECONDS
from personal.services import copying, erase, export


@shared_task
def make_exports() -> None:
    """Go on with the copies people asked for, and throw away those that have expired."""
    export.empty_exports(at=live_now())
    copying.make_exports(at=live_now(), seconds=WORKS_FOR_SECONDS)


@shared_task
def erase_people() -> None:
    """Forget whoever asked for it and did not take it back."""
    erase.erase_due(at=live_now())
