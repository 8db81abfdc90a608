"""What colleagues do about an endpoint that fails, when they have spoken with its merchant."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import WebhookEndpoint

ON, OFF = {"state": WebhookEndpoint.State.ENABLED}, {"state": WebhookEndpoint.State.DISABLED}


def send_again(endpoint_id: UUID, *, since: datetime, by: Actor, at: datetime) -> int:
    """All that happened since then and did not reach it is sent once more. Returns how many copies that are.

    Raises:
        NotFound: there is no such endpoint.
        EndpointDisabled: it is off.
    """
    return merchants.redeliver_failed(_merchant_of(endpoint_id), endpoint_id, since=since, by=by, at=at)


def switch_on(endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """It is sent to again, and what went wrong before no longer counts.

    Raises:
        NotFound: there is no such endpoint.
    """
    merchants.change_endpoint(_merchant_of(endpoint_id), endpoint_id, dict(ON), by=by, at=at)


@transaction.atomic
def leave_off(endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """Its merchant does without it: it is off because they want it so, and waits for nobody.

    Raises:
        NotFound: there is no such endpoint.
    """
    merchant_id = _merchant_of(endpoint_id)
    for terms in (ON, OFF):
        merchants.change_endpoint(merchant_id, endpoint_id, dict(terms), by=by, at=at)


def _merchant_of(endpoint_id: UUID) -> UUID:
    found = WebhookEndpoint.objects.filter(pk=endpoint_id).values_list("merchant_id", flat=True).first()
    if found is None:
        raise NotFound
    return found
