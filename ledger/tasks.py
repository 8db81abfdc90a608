"""Scheduled jobs of the ledger."""

from celery import shared_task

from kernel.clock import live_now
from ledger import closing


@shared_task
def close_books() -> None:
    """Close the ledger days that have ended."""
    closing.close_books(real=live_now())
