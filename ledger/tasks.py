"""The alarm clock of the book."""

from celery import shared_task

from kernel.clock import live_now
from ledger import closing


@shared_task
def close_books() -> None:
    """Close the days of the book that are over."""
    closing.close_books(real=live_now())
