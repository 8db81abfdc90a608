"""Celery tasks of credit."""

from celery import shared_task

from credit import limit_reviews


@shared_task
def review_limits() -> None:
    """Review the limits that are due."""
    limit_reviews.LIMIT_REVIEW_SWEEP.run_due()
