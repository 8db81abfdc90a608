"""/v1/events: list, get and resend events."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from kernel import ids
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX
from kernel.refusal import FieldError, Invalid, NotFound, refusals_in_field
from kernel.wire import Wire
from merchants import queries, services
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.models.events import EventQuerySet
from merchants.rules import Scope
from merchants.rules.events import EVENT_TYPES, is_event_filter, matches_filters
from merchants.wire import MerchantEvent, event_out

Moment = Annotated[datetime, Meta(tz=True)]


class MerchantEventList(Wire):
    """A page of events, in the order that was asked for."""

    data: list[MerchantEvent]
    next_cursor: str | None


class EventQuery(Wire):
    """Which events, and which page of them."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: Annotated[
        str | None, Meta(description="`next_cursor` of the page before, or the id of the last event you have.")
    ] = None
    order: Annotated[
        Literal["desc", "asc"],
        Meta(description="Newest first, or oldest first to follow all events without gaps."),
    ] = "desc"
    type: Annotated[str | None, Meta(description="Types, comma-separated: `order.opened,deduction.*`.")] = None
    subject: Annotated[str | None, Meta(description="The subject's ID: an order, an agreement …")] = None
    after: Annotated[Moment | None, Meta(description="Created then or later.")] = None
    before: Annotated[Moment | None, Meta(description="Created earlier.")] = None


class Redelivery(Wire):
    """Where to send it again; to every endpoint that hears of such events when nothing is said."""

    endpoint: str | None = None


class RedeliveryOut(Wire):
    """How many deliveries are on their way now."""

    object: Literal["redelivery"]
    deliveries: int


class Events(MerchantView):
    """/v1/events"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.EVENTS_READ}

    @operation("list_events", "List events", response=MerchantEventList, query=EventQuery, refusals=[InsufficientScope])
    def get(self, request: Request) -> HttpResponse:
        query = EventQuery.parse_query(request)
        rows = queries.events_of(
            self.merchant_id,
            types=_parse_types(query.type),
            subject_id=_parse_subject(query.subject),
            after=query.after,
            before=query.before,
        )
        if query.order == "asc":
            rows = rows.oldest_first()
        if query.cursor is not None:
            rows = self._from_cursor(rows, query)
        found = list(rows[: query.limit + 1])
        more = len(found) > query.limit
        data = [event_out(row) for row in found[: query.limit]]
        return json_response(MerchantEventList(data=data, next_cursor=found[query.limit - 1].id.hex if more else None))

    def _from_cursor(self, rows: EventQuerySet, query: EventQuery) -> EventQuerySet:
        key = ids.parse("evt", query.cursor or "") or ids.parse_hex(query.cursor or "")
        place = queries.feed_position(self.merchant_id, key) if key else None
        if place is None:
            raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])
        return rows.after(*place) if query.order == "asc" else rows.before(*place)


class OneEvent(MerchantView):
    """/v1/events/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.EVENTS_READ}

    @operation("get_event", "Get an event", response=MerchantEvent, refusals=[InsufficientScope])
    def get(self, _request: Request, event: str) -> HttpResponse:
        return json_response(event_out(queries.event_of(self.merchant_id, self.parse_id("evt", event))))


class RedeliverEvent(MerchantView):
    """/v1/events/{id}/redeliver"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "redeliver_event",
        "Resend an event",
        request=Redelivery,
        response=RedeliveryOut,
        refusals=[InsufficientScope, services.NoSubscribers, services.EndpointDisabled],
        idempotent=True,
        examples=[("To all", {}), ("To one", {"endpoint": "whe_0190b3d2c5a87c1d9e4f5a6b7c8d9e0f"})],
    )
    def post(self, request: Request, event: str) -> HttpResponse:
        key, body = self.parse_id("evt", event), Redelivery.parse(request)
        with refusals_in_field("/endpoint", NotFound):
            endpoint_id = None if body.endpoint is None else self.parse_id("whe", body.endpoint)
            endpoint = None if endpoint_id is None else queries.endpoint_of(self.merchant_id, endpoint_id).id
        rows = services.redeliver_event(self.merchant_id, key, endpoint_id=endpoint, by=self.actor, at=self.now())
        return json_response(RedeliveryOut(object="redelivery", deliveries=len(rows)))


def _parse_types(text: str | None) -> list[str]:
    """Parse a comma-separated list of event types and wildcards into event types.

    Raises:
        Invalid: there is no such type.
    """
    if text is None:
        return []
    names = text.split(",")
    if not all(name in EVENT_TYPES or is_event_filter(name) for name in names):
        raise Invalid(errors=[FieldError("?type", "no such type of event")])
    return [name for name in EVENT_TYPES if name in names or matches_filters(names, name)]


def _parse_subject(text: str | None) -> UUID | None:
    """Parse the public id of any subject of events.

    Raises:
        Invalid: it is not the id of such an object.
    """
    if text is None:
        return None
    for prefix in set(EVENT_TYPES.values()):
        key = ids.parse(prefix, text)
        if key is not None:
            return key
    raise Invalid(errors=[FieldError("?subject", "not an id that events are about")])
