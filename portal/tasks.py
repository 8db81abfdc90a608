"""Scheduled Celery tasks of the portal app."""

from celery import shared_task

from kernel.clock import live_now
from portal.services import letter_triggers, letters

BATCH = 50


@shared_task
def send_letters() -> None:
    """Queue letters about disabled endpoints, payout accounts and returned payouts; send the letters that are due."""
    at = live_now()
    letter_triggers.queue_endpoint_letters(at=at, limit=BATCH)
    letter_triggers.queue_account_letters(at=at, limit=BATCH)
    letter_triggers.queue_payout_letters(at=at, limit=BATCH)
    letters.send_due(at=at, limit=BATCH)
