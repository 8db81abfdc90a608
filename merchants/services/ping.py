"""A merchant asks whether its endpoint answers, and is told what came back."""

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
from merchants.services.deliver import LEASE, MOVING, NOT_SIGNED, attempt_of, give_up_unsigned
from merchants.services.endpoints import lock_endpoint
from merchants.services.events import News, publish
from merchants.services.outward import one_at_a_time
from merchants.services.parcels import Taken, send, taken_of


@dataclass(frozen=True, slots=True)
class Ping:
    """The request sent and the response received."""

    event: Event
    outcome: rules.Outcome


def ping_endpoint(merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime) -> Ping:
    """A `webhook_endpoint.ping` is sent to this endpoint alone, now and once, even while it is off.

    Whether it arrives changes nothing for the endpoint: it is a question, not a delivery to be counted.

    Raises:
        NotFound: missing, removed, or another merchant's.
        RateLimited: another address of the merchant's is being asked just now.
    """
    with one_at_a_time(merchant_id):
        taken, event = _prepare(merchant_id, endpoint_id, by=by, at=at)
        if taken is None:
            return Ping(event, rules.Outcome(None, 0, NOT_SIGNED))
        outcome = send(taken)
        _settle(taken, outcome)
    return Ping(event, outcome)


@transaction.atomic
def _prepare(merchant_id: UUID, endpoint_id: UUID, *, by: Actor, at: datetime) -> tuple[Taken | None, Event]:
    """The event and its one copy, in our hands from the first moment: no sweep takes it up beside us.

    One that cannot be signed, as the secret does not open, is given up at once, as any delivery.
    """
    endpoint = lock_endpoint(merchant_id, endpoint_id)
    data = {"id": endpoint.public_id, "url": endpoint.url, "asked_by": str(by)}
    publish([News(merchant_id, PING, endpoint.id, data)], realm_id=endpoint.realm_id, at=at)
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
        return taken_of(row, at=at), event
    except UNREADABLE as broken:
        give_up_unsigned(row, broken, at=at)
        row.save(update_fields=MOVING)
        return None, event


@transaction.atomic
def _settle(taken: Taken, outcome: rules.Outcome) -> None:
    row = WebhookDelivery.objects.select_for_update(of=("self",), no_key=True).get(pk=taken.delivery_id)
    attempt_of(row, taken, outcome).save(force_insert=True)
    if row.state != WebhookDelivery.State.PENDING:
        return
    if outcome.good:
        row.deliver(at=taken.at)
    else:
        row.give_up(outcome.reason, at=taken.at)
    row.save(update_fields=MOVING)
