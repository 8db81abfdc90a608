"""Pinging a webhook endpoint at its merchant's request."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from kernel.actor import Actor
from kernel.encryption import UNREADABLE
from merchants.models import Event, WebhookDelivery
from merchants.rules import webhooks as rules
from merchants.rules.events import PING
from merchants.services.deliver import LEASE, SIGNING_FAILED, STATE_COLUMNS, build_attempt, give_up_unreadable
from merchants.services.endpoints import lock_endpoint
from merchants.services.events import NewEvent, publish
from merchants.services.outbound_calls import one_outbound_call
from merchants.services.webhook_requests import ClaimedDelivery, build_claimed_delivery, send_request


@dataclass(frozen=True, slots=True)
class Ping:
    """The request sent and the response received."""

    event: Event
    outcome: rules.Outcome


def ping_endpoint(merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime) -> Ping:
    """Send a `webhook_endpoint.ping` event to this endpoint alone, once and now, even while it is disabled.

    The outcome does not count for or against the endpoint.

    Raises:
        NotFound: missing, removed, or another merchant's.
        RateLimited: another outbound call for the merchant is in progress.
    """
    with one_outbound_call(merchant_id):
        claimed, event = _create_ping(merchant_id, endpoint_id, by=by, at=at)
        if claimed is None:
            return Ping(event, rules.Outcome(None, 0, SIGNING_FAILED))
        outcome = send_request(claimed)
        _settle(claimed, outcome)
    return Ping(event, outcome)


@transaction.atomic
def _create_ping(
    merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime
) -> tuple[ClaimedDelivery | None, Event]:
    """Create the event and its delivery, leased from the start so that no worker claims it.

    If the endpoint's secret cannot be decrypted to sign it, the delivery is given up at once and None is returned.
    """
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    data = {"id": endpoint.public_id, "url": endpoint.url, "asked_by": str(by)}
    publish([NewEvent(merchant_id, PING, endpoint.id, data)], realm_id=endpoint.realm_id, at=at)
    event = Event.objects.filter(subject_id=endpoint.id, type=PING).latest("sequence")
    row = WebhookDelivery.objects.create(
        realm_id=endpoint.realm_id,
        endpoint=endpoint,
        event=event,
        tries=1,
        next_at=at,
        leased_until=Now() + LEASE,
        created_at=at,
    )
    try:
        return build_claimed_delivery(row, at=at), event
    except UNREADABLE as error:
        give_up_unreadable(row, error, at=at)
        row.save(update_fields=STATE_COLUMNS)
        return None, event


@transaction.atomic
def _settle(claimed: ClaimedDelivery, outcome: rules.Outcome) -> None:
    row = WebhookDelivery.objects.select_for_update(of=("self",), no_key=True).get(pk=claimed.delivery_id)
    build_attempt(row, claimed, outcome).save(force_insert=True)
    if row.state != WebhookDelivery.State.PENDING:
        return
    if outcome.succeeded:
        row.mark_delivered(at=claimed.at)
    else:
        row.give_up(outcome.reason, at=claimed.at)
    row.save(update_fields=STATE_COLUMNS)
