"""Scheduled tasks of merchants, in a queue of their own so that slow receivers delay no other work."""

import threading
from collections.abc import Mapping
from datetime import datetime

from celery import shared_task

from kernel.clock import now_in
from kernel.sweeps import realms_due
from merchants.models import WebhookDelivery
from merchants.services.deliver import deliver_all_realms

#: Only one round of each kind claims deliveries at a time; the next can start while the previous still waits.
_HEALTHY, _TROUBLED = threading.Lock(), threading.Lock()


@shared_task
def deliver_webhooks() -> None:
    """Send due deliveries to healthy endpoints."""
    deliver_all_realms(_times, failing=False, claim_lock=_HEALTHY)


@shared_task
def retry_webhooks() -> None:
    """Send due deliveries to endpoints that are failing."""
    deliver_all_realms(_times, failing=True, claim_lock=_TROUBLED)


def _times() -> Mapping[int, datetime]:
    """The realms with due deliveries and the time in each, including realms with a frozen clock."""
    return {realm.id: now_in(realm) for realm in realms_due(WebhookDelivery, "next_at", include_frozen=True)}
