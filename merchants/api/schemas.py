"""Request and response schemas of /v1/webhook_endpoints."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from kernel.paging import LIMIT_MAX
from kernel.wire import Moment, Wire
from merchants.models import WebhookDelivery, WebhookEndpoint
from merchants.rules.webhook_urls import URL_MAX
from merchants.rules.webhooks import OVERLAP, OVERLAP_MAX
from merchants.services.ping import Ping

Url = Annotated[str, Meta(min_length=1, max_length=URL_MAX, description="Public https, port 443.")]
Filters = Annotated[
    tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=40, description="Types, `order.*`, `*`.")
]
Description = Annotated[str, Meta(max_length=200)]


class NewEndpoint(Wire):
    """A webhook endpoint to add."""

    url: Url
    event_types: Filters = ("*",)
    description: Description = ""


class EndpointChange(Wire):
    """Other terms from now on. Enabling one that was disabled forgets what went wrong."""

    url: Url | UnsetType = UNSET
    event_types: Filters | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    state: Literal["enabled", "disabled"] | UnsetType = UNSET


class EndpointOut(Wire):
    """A webhook endpoint. Its secret is shown when it is made, and when it is rotated."""

    id: str
    object: Literal["webhook_endpoint"]
    livemode: bool
    url: str
    description: str
    event_types: list[str]
    state: str
    disabled_because: str | None
    disabled_at: Moment | None
    failing_since: Moment | None
    old_secret_until: Moment | None
    created_at: Moment
    secret: str | None = None


class EndpointList(Wire):
    """A page of webhook endpoints, newest first."""

    data: list[EndpointOut]
    next_cursor: str | None


class PageQuery(Wire):
    """Which page."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class DeliveryQuery(Wire):
    """Which deliveries, and which page of them."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None
    state: Literal["pending", "delivered", "given_up"] | None = None


class AttemptOut(Wire):
    """One attempt and its result: a status, or an error."""

    number: int
    at: Moment
    status: int | None
    latency_ms: int
    error: str | None
    response: str


class DeliveryOut(Wire):
    """One event's delivery to this endpoint, latest attempts first."""

    id: str
    object: Literal["webhook_delivery"]
    event: str
    type: str
    state: str
    reason: str | None
    next_attempt_at: Moment | None
    created_at: Moment
    ended_at: Moment | None
    attempts: list[AttemptOut]


class DeliveryList(Wire):
    """A page of deliveries, newest first."""

    data: list[DeliveryOut]
    next_cursor: str | None


class Rotation(Wire):
    """How long the secret before the new one signs as well."""

    overlap_hours: Annotated[int, Meta(ge=0, le=OVERLAP_MAX // timedelta(hours=1))] = OVERLAP // timedelta(hours=1)


class PingOut(Wire):
    """The request sent and the response received."""

    object: Literal["webhook_ping"]
    event: str
    delivered: bool
    status: int | None
    latency_ms: int
    error: str | None
    response: str


class BulkRedelivery(Wire):
    """Everything created since then that was not delivered, including events while the endpoint was disabled."""

    since: Annotated[datetime, Meta(tz=True)]


class BulkRedeliveryOut(Wire):
    """How many deliveries are on their way now; as many as one request may start means: ask again."""

    object: Literal["redelivery"]
    deliveries: int


def endpoint_out(endpoint: WebhookEndpoint, *, secret: str | None = None, at: datetime) -> EndpointOut:
    old_until = endpoint.old_secret_until
    return EndpointOut(
        id=endpoint.public_id,
        object="webhook_endpoint",
        livemode=endpoint.livemode,
        url=endpoint.url,
        description=endpoint.description,
        event_types=endpoint.event_types,
        state=endpoint.state,
        disabled_because=endpoint.disabled_because or None,
        disabled_at=endpoint.disabled_at,
        failing_since=endpoint.failing_from,
        old_secret_until=old_until if old_until and old_until > at else None,
        created_at=endpoint.created_at,
        secret=secret,
    )


def delivery_out(row: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut(
        id=row.public_id,
        object="webhook_delivery",
        event=row.event.public_id,
        type=row.event.type,
        state=row.state,
        reason=row.reason or None,
        next_attempt_at=row.next_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
        attempts=[
            AttemptOut(
                number=one.number,
                at=one.at,
                status=one.status,
                latency_ms=one.latency_ms,
                error=one.error or None,
                response=one.excerpt,
            )
            for one in row.attempts.all()
        ],
    )


def ping_out(ping: Ping) -> PingOut:
    outcome = ping.outcome
    return PingOut(
        object="webhook_ping",
        event=ping.event.public_id,
        delivered=outcome.succeeded,
        status=outcome.status,
        latency_ms=outcome.latency_ms,
        error=outcome.error or None,
        response=outcome.excerpt,
    )
