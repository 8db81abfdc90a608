"""An event in somebody's hands: what is sent of it, and how it is signed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kernel.clock import live_now
from merchants import courier
from merchants.models import WebhookDelivery
from merchants.rules import webhooks as rules
from merchants.wire import body_of


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery in our hands: which try it is, of what moment, and what is to be sent."""

    delivery_id: UUID
    endpoint_id: UUID
    tries: int
    at: datetime
    secrets: Sequence[str] = field(repr=False)
    parcel: courier.Parcel = field(repr=False)


def taken_of(row: WebhookDelivery, *, at: datetime) -> Taken:
    """What is sent of it, and under which secrets. Its headers are made when it is: the time in them is real.

    Raises:
        InvalidTag, KeyError, ValueError: a secret of its endpoint does not open (kernel.encryption).
    """
    body, event = body_of(row.event), row.event
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "bnpl-webhooks/1",
        "webhook-id": event.public_id,
    }
    if event.request_id:
        headers["Request-Id"] = event.request_id
    secrets = row.endpoint.signing_secrets(at=at)
    return Taken(row.id, row.endpoint_id, row.tries, at, secrets, courier.Parcel(row.endpoint.url, headers, body))


def signed(taken: Taken) -> courier.Parcel:
    """As it leaves: signed with the time it really is, which verifiers compare with their own."""
    parcel, timestamp = taken.parcel, int(live_now().timestamp())
    headers = {
        **parcel.headers,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": rules.signature(taken.secrets, parcel.headers["webhook-id"], timestamp, parcel.body),
    }
    return courier.Parcel(parcel.url, headers, parcel.body)


def send(taken: Taken) -> rules.Outcome:
    """Sign it, send it once, and wait for what comes back."""
    return courier.post(signed(taken), real=live_now)
