"""What staff can do about a merchant's failing webhook endpoint."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from kernel.actor import Actor
from kernel.refusal import NotFound
from merchants import services as merchants
from merchants.models import WebhookEndpoint

ENABLED, DISABLED = {"state": WebhookEndpoint.State.ENABLED}, {"state": WebhookEndpoint.State.DISABLED}


def resend_undelivered(endpoint_id: UUID, *, since: datetime, by: Actor, at: datetime) -> int:
    """Resend every event since then that was not delivered. Returns how many deliveries.

    Raises:
        NotFound: there is no such endpoint.
        EndpointDisabled: the endpoint is disabled.
    """
    return merchants.redeliver_failed(_merchant_id_of(endpoint_id), endpoint_id, since=since, by=by, at=at)


def enable_endpoint(endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """Enable the endpoint again and reset its failures.

    Raises:
        NotFound: there is no such endpoint.
    """
    merchants.change_endpoint(_merchant_id_of(endpoint_id), endpoint_id, dict(ENABLED), by=by, at=at)


@transaction.atomic
def keep_disabled(endpoint_id: UUID, *, by: Actor, at: datetime) -> None:
    """Keep the endpoint disabled at its merchant's wish, so that it leaves the queue of failing endpoints.

    Raises:
        NotFound: there is no such endpoint.
    """
    merchant_id = _merchant_id_of(endpoint_id)
    for terms in (ENABLED, DISABLED):
        merchants.change_endpoint(merchant_id, endpoint_id, dict(terms), by=by, at=at)


def _merchant_id_of(endpoint_id: UUID) -> UUID:
    found = WebhookEndpoint.objects.filter(pk=endpoint_id).values_list("merchant_id", flat=True).first()
    if found is None:
        raise NotFound
    return found
