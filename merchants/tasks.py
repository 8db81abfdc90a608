"""Alarm clocks of merchants, in a queue of their own: nobody's money waits for somebody's slow receiver."""

from collections.abc import Mapping
from datetime import datetime

from celery import shared_task

from kernel.clock import now_in
from kernel.sweeps import realms_due
from merchants.models import WebhookDelivery
from merchants.services.deliver import deliver_everywhere


@shared_task
def deliver_webhooks() -> None:
    """Send what is due to endpoints that answer."""
    deliver_everywhere(_times, troubled=False)


@shared_task
def retry_webhooks() -> None:
    """Send what is due to endpoints that last did not."""
    deliver_everywhere(_times, troubled=True)


def _times() -> Mapping[int, datetime]:
    """Where something is due, and what time it is there; a clock that stands still has a time too."""
    return {realm.id: now_in(realm) for realm in realms_due(WebhookDelivery, "next_at", frozen=True)}
