"""Alarm clocks of credit."""

from celery import shared_task

from credit import limit_review


@shared_task
def review_limits() -> None:
    """Limits whose day has come follow their people's scores."""
    limit_review.DUE.ring()
