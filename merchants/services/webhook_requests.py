"""Building, signing and sending the HTTP request of a claimed delivery."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kernel.clock import live_now
from merchants import webhook_sender
from merchants.models import WebhookDelivery
from merchants.rules import webhooks as rules
from merchants.wire import webhook_body


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this worker has claimed: the attempt's number and time, and the request to send."""

    delivery_id: UUID
    endpoint_id: UUID
    tries: int
    at: datetime
    secrets: Sequence[str] = field(repr=False)
    request: webhook_sender.WebhookRequest = field(repr=False)


def build_claimed_delivery(row: WebhookDelivery, *, at: datetime) -> ClaimedDelivery:
    """The unsigned request for a delivery, with the secrets to sign it; `sign_request` adds the real time on sending.

    Raises:
        InvalidTag, KeyError, ValueError: a secret of the endpoint cannot be decrypted (kernel.encryption).
    """
    body, event = webhook_body(row.event), row.event
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "bnpl-webhooks/1",
        "webhook-id": event.public_id,
    }
    if event.request_id:
        headers["Request-Id"] = event.request_id
    secrets = row.endpoint.signing_secrets(at=at)
    return ClaimedDelivery(
        row.id, row.endpoint_id, row.tries, at, secrets, webhook_sender.WebhookRequest(row.endpoint.url, headers, body)
    )


def sign_request(claimed: ClaimedDelivery) -> webhook_sender.WebhookRequest:
    """The request with its signature and timestamp, in real time, which receivers compare with their clock."""
    request, timestamp = claimed.request, int(live_now().timestamp())
    headers = {
        **request.headers,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": rules.signature(claimed.secrets, request.headers["webhook-id"], timestamp, request.body),
    }
    return webhook_sender.WebhookRequest(request.url, headers, request.body)


def send_request(claimed: ClaimedDelivery) -> rules.Outcome:
    """Sign and send it once, and wait for the outcome."""
    return webhook_sender.post(sign_request(claimed), now=live_now)
