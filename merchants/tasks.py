"""Alarm clocks of merchants, in a queue of their own: nobody's money waits for somebody's slow receiver."""

import threading
from collections.abc import Mapping
from datetime import datetime

from celery import shared_task

from kernel.clock import now_in
from kernel.sweeps import realms_due
from merchants.models import WebhookDelivery
from merchants.services.deliver import deliver_everywhere

#: One ring of each kind takes up at a time; the next begins when that has stopped, whatever is still under way.
_HEALTHY, _TROUBLED = threading.Lock(), threading.Lock()


@shared_task
def deliver_webhooks() -> None:
    """Send what is due to endpoints that answer."""
    deliver_everywhere(_times, troubled=False, turn=_HEALTHY)


@shared_task
def retry_webhooks() -> None:
    """Send what is due to endpoints that last did not."""
    deliver_everywhere(_times, troubled=True, turn=_TROUBLED)


def _times() -> Mapping[int, datetime]:
    """Where something is due, and what time it is there; a clock that stands still has a time too."""
    return {realm.id: now_in(realm) for realm in realms_due(WebhookDelivery, "next_at", frozen=True)}
