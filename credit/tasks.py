"""Alarm clocks of credit."""

from celery import shared_task

from credit import reviewing


@shared_task
def review_limits() -> None:
    """Limits whose day has come follow their people's scores."""
    reviewing.DUE.ring()
