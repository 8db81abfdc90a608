"""Resending events: one event, or all that were not delivered to an endpoint."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.bulk_writes import insert_all, update_all
from kernel.refusal import Refusal
from merchants import queries
from merchants.models import Event, WebhookDelivery, WebhookEndpoint
from merchants.rules.events import EVENT_TYPES, PING, matches_filters
from merchants.rules.webhooks import REDELIVER_MAX
from merchants.services.change_log import record_change
from merchants.services.endpoints import EndpointDisabled, lock_endpoint

_GIVEN_UP = WebhookDelivery.State.GIVEN_UP
_STATE_COLUMNS = ["state", "reason", "tries", "next_at", "leased_until", "ended_at"]


class NoSubscribers(Refusal):
    """No enabled endpoint subscribes to the event."""

    code, title = "nobody_listens", _("No enabled webhook endpoint subscribes to this event.")


@transaction.atomic
def redeliver_event(
    merchant_id: UUID, event_id: UUID, *, endpoint_id: UUID | None = None, by: Actor, at: datetime
) -> list[WebhookDelivery]:
    """Send the event again now, with all attempts: to this endpoint, whatever its filters, or to all that subscribe.

    Its `webhook-id` stays the same, so that receivers can recognize it.

    Raises:
        NotFound: the event or the endpoint is missing, or another merchant's.
        EndpointDisabled: the endpoint is disabled.
        NoSubscribers: no enabled endpoint subscribes to such events; pings are never resent.
    """
    event = queries.event_of(merchant_id, event_id)
    if event.type == PING:
        raise NoSubscribers
    endpoints = (
        _lock_subscribed_endpoints(event) if endpoint_id is None else [_lock_enabled_endpoint(merchant_id, endpoint_id)]
    )
    if not endpoints:
        raise NoSubscribers
    existing = WebhookDelivery.objects.filter(event=event, endpoint__in=endpoints)
    rows = list(existing.select_for_update(of=("self",), no_key=True).order_by("pk"))
    _requeue(rows, at=at)
    has_delivery = {row.endpoint_id for row in rows}
    created = [
        _new_delivery(event.realm_id, event.id, each.id, at=at) for each in endpoints if each.id not in has_delivery
    ]
    insert_all(created)
    record_change(
        merchant_id, "event_redelivered", event.id, by=by, at=at, endpoints=[each.public_id for each in endpoints]
    )
    return [*rows, *created]


@transaction.atomic
def redeliver_failed(merchant_id: UUID, endpoint_id: UUID, *, since: datetime, by: Actor, at: datetime) -> int:
    """Send every event since then again that was not delivered to the endpoint: those that were given up, and those
    without a delivery because it was disabled. The oldest first, up to REDELIVER_MAX. Returns how many.

    Raises:
        NotFound: missing, removed, or another merchant's.
        EndpointDisabled: the endpoint is disabled.
    """
    endpoint = _lock_enabled_endpoint(merchant_id, endpoint_id)
    waiting = Q(state=WebhookDelivery.State.PENDING, next_at__gt=at)
    undelivered = WebhookDelivery.objects.filter(Q(state=_GIVEN_UP) | waiting, endpoint=endpoint, event__at__gte=since)
    undelivered = undelivered.exclude(event__type=PING).select_for_update(of=("self",), no_key=True)
    rows = list(undelivered.order_by("pk")[:REDELIVER_MAX])
    _requeue(rows, at=at)
    missing = [
        _new_delivery(endpoint.realm_id, key, endpoint.id, at=at)
        for key in _events_without_delivery(endpoint, since=since)
    ]
    missing = missing[: REDELIVER_MAX - len(rows)]
    insert_all(missing)
    record_change(
        merchant_id, "failed_redelivered", endpoint.id, by=by, at=at, since=since, deliveries=len(rows) + len(missing)
    )
    return len(rows) + len(missing)


def _events_without_delivery(endpoint: WebhookEndpoint, *, since: datetime) -> list[UUID]:
    """Events that the endpoint subscribes to but that have no delivery to it."""
    types = [name for name in EVENT_TYPES if name != PING and matches_filters(endpoint.event_types, name)]
    copies = WebhookDelivery.objects.filter(endpoint=endpoint, event=OuterRef("pk"))
    events = Event.objects.filter(merchant_id=endpoint.merchant_id, at__gte=since, type__in=types)
    events = events.filter(~Exists(copies)).order_by("xact", "id")
    return list(events.values_list("pk", flat=True)[:REDELIVER_MAX])


def _lock_subscribed_endpoints(event: Event) -> list[WebhookEndpoint]:
    """Lock the enabled endpoints that subscribe to the event, as every writer of their deliveries does."""
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    endpoints = rows.filter(merchant_id=event.merchant_id, state=WebhookEndpoint.State.ENABLED).order_by("pk")
    return [row for row in endpoints if matches_filters(row.event_types, event.type)]


def _lock_enabled_endpoint(merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    if endpoint.state != WebhookEndpoint.State.ENABLED:
        raise EndpointDisabled
    return endpoint


def _requeue(rows: Sequence[WebhookDelivery], *, at: datetime) -> None:
    """Queue deliveries again with all attempts; a worker that has claimed one now may still deliver it."""
    for row in rows:
        if row.state == WebhookDelivery.State.PENDING:
            row.tries, row.next_at = 0, at
        else:
            row.requeue(at=at)
    update_all(rows, _STATE_COLUMNS)


def _new_delivery(realm_id: int, event_id: UUID, endpoint_id: UUID, *, at: datetime) -> WebhookDelivery:
    return WebhookDelivery(realm_id=realm_id, event_id=event_id, endpoint_id=endpoint_id, next_at=at, created_at=at)
