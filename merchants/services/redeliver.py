"""What was told once is told again: one event, or everything that did not arrive."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from kernel.actor import Actor
from kernel.refusal import Refusal
from kernel.writes import insert_all, update_all
from merchants import queries
from merchants.models import Event, WebhookDelivery, WebhookEndpoint
from merchants.rules.events import PING, TYPES, wants
from merchants.rules.webhooks import REDELIVER_MAX
from merchants.services.endpoints import EndpointDisabled, lock_endpoint
from merchants.services.record import note

_GIVEN_UP = WebhookDelivery.State.GIVEN_UP
_MOVING = ["state", "reason", "tries", "next_at", "leased_until", "ended_at"]


class NobodyListens(Refusal):
    """There is nobody to send it to."""

    code, title = "nobody_listens", _("No enabled webhook endpoint subscribes to this event.")


@transaction.atomic
def redeliver_event(
    merchant_id: UUID, event_id: UUID, *, endpoint_id: UUID | None = None, by: Actor, at: datetime
) -> list[WebhookDelivery]:
    """The event is sent again, at once and with all its tries: to this endpoint, whatever it listens for, or to all
    that hear of such events. Its `webhook-id` stays, so that a receiver knows it again.

    Raises:
        NotFound: the event or the endpoint is missing, or another merchant's.
        EndpointDisabled: the endpoint is off.
        NobodyListens: no endpoint that is on hears of such events; nor does anybody of a ping, whose answer was
            waited for once.
    """
    event = queries.event_of(merchant_id, event_id)
    if event.type == PING:
        raise NobodyListens
    endpoints = _hearing(event) if endpoint_id is None else [_enabled(merchant_id, endpoint_id)]
    if not endpoints:
        raise NobodyListens
    known = WebhookDelivery.objects.filter(event=event, endpoint__in=endpoints)
    rows = list(known.select_for_update(of=("self",), no_key=True).order_by("pk"))
    _send_again(rows, at=at)
    had = {row.endpoint_id for row in rows}
    made = [_new(event.realm_id, event.id, each.id, at=at) for each in endpoints if each.id not in had]
    insert_all(made)
    note(merchant_id, "event_redelivered", event.id, by=by, at=at, endpoints=[each.public_id for each in endpoints])
    return [*rows, *made]


@transaction.atomic
def redeliver_failed(merchant_id: UUID, endpoint_id: UUID, *, since: datetime, by: Actor, at: datetime) -> int:
    """Everything that happened since then and did not reach the endpoint is sent again: what was given up, and what it
    would have heard of while it was off. The oldest first, so many at a time; returns how many.

    Raises:
        NotFound: missing, removed, or another merchant's.
        EndpointDisabled: the endpoint is off.
    """
    endpoint = _enabled(merchant_id, endpoint_id)
    lost = WebhookDelivery.objects.filter(endpoint=endpoint, state=_GIVEN_UP, event__at__gte=since)
    lost = lost.exclude(event__type=PING).select_for_update(of=("self",), no_key=True)
    rows = list(lost.order_by("pk")[:REDELIVER_MAX])
    _send_again(rows, at=at)
    made = [_new(endpoint.realm_id, key, endpoint.id, at=at) for key in _missed(endpoint, since=since)]
    made = made[: REDELIVER_MAX - len(rows)]
    insert_all(made)
    note(merchant_id, "failed_redelivered", endpoint.id, by=by, at=at, since=since, deliveries=len(rows) + len(made))
    return len(rows) + len(made)


def _missed(endpoint: WebhookEndpoint, *, since: datetime) -> list[UUID]:
    """Events of which the endpoint never had a copy, though it hears of such."""
    types = [name for name in TYPES if name != PING and wants(endpoint.event_types, name)]
    copies = WebhookDelivery.objects.filter(endpoint=endpoint, event=OuterRef("pk"))
    found = Event.objects.filter(merchant_id=endpoint.merchant_id, at__gte=since, type__in=types)
    found = found.filter(~Exists(copies)).order_by("xact", "id")
    return list(found.values_list("pk", flat=True)[:REDELIVER_MAX])


def _hearing(event: Event) -> list[WebhookEndpoint]:
    """Those that are on and hear of such events, locked as they are for everybody else who writes their deliveries."""
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    found = rows.filter(merchant_id=event.merchant_id, state=WebhookEndpoint.State.ENABLED).order_by("pk")
    return [row for row in found if wants(row.event_types, event.type)]


def _enabled(merchant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    if endpoint.state != WebhookEndpoint.State.ENABLED:
        raise EndpointDisabled
    return endpoint


def _send_again(rows: Sequence[WebhookDelivery], *, at: datetime) -> None:
    """What is still on its way has all its tries before it again; whoever holds it now may yet bring it home."""
    for row in rows:
        if row.state == WebhookDelivery.State.PENDING:
            row.tries, row.next_at = 0, at
        else:
            row.again(at=at)
    update_all(rows, _MOVING)


def _new(realm_id: int, event_id: UUID, endpoint_id: UUID, *, at: datetime) -> WebhookDelivery:
    return WebhookDelivery(realm_id=realm_id, event_id=event_id, endpoint_id=endpoint_id, next_at=at, created_at=at)
