"""/v1/events: what happened, for ever replayable."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from kernel import ids
from kernel.contract import operation
from kernel.paging import LIMIT_MAX
from kernel.refusal import FieldError, Invalid, NotFound, in_field
from kernel.wire import Wire
from merchants import queries, services
from merchants.access import MerchantView, NotAllowed, answer
from merchants.models.events import EventQuerySet
from merchants.rules import Scope
from merchants.rules.events import TYPES, is_filter, wants
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

    @operation("list_events", "List events", gives=MerchantEventList, query=EventQuery, refuses=[NotAllowed])
    def get(self, request: Request) -> HttpResponse:
        asked = EventQuery.parse_query(request)
        rows = queries.events_of(
            self.merchant_id,
            types=_types(asked.type),
            subject_id=_subject(asked.subject),
            after=asked.after,
            before=asked.before,
        )
        if asked.order == "asc":
            rows = rows.oldest_first()
        if asked.cursor is not None:
            rows = self._from(rows, asked)
        found = list(rows[: asked.limit + 1])
        more = len(found) > asked.limit
        data = [event_out(row) for row in found[: asked.limit]]
        return answer(MerchantEventList(data=data, next_cursor=found[asked.limit - 1].id.hex if more else None))

    def _from(self, rows: EventQuerySet, asked: EventQuery) -> EventQuerySet:
        key = ids.parse("evt", asked.cursor or "") or ids.bare(asked.cursor or "")
        place = queries.place_of(self.merchant_id, key) if key else None
        if place is None:
            raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])
        return rows.after(*place) if asked.order == "asc" else rows.before(*place)


class OneEvent(MerchantView):
    """/v1/events/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.EVENTS_READ}

    @operation("get_event", "Get an event", gives=MerchantEvent, refuses=[NotAllowed])
    def get(self, _request: Request, event: str) -> HttpResponse:
        return answer(event_out(queries.event_of(self.merchant_id, self.named("evt", event))))


class RedeliverEvent(MerchantView):
    """/v1/events/{id}/redeliver"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "redeliver_event",
        "Resend an event",
        takes=Redelivery,
        gives=RedeliveryOut,
        refuses=[NotAllowed, services.NobodyListens, services.EndpointDisabled],
        writes=True,
        examples=[("To all", {}), ("To one", {"endpoint": "whe_0190b3d2c5a87c1d9e4f5a6b7c8d9e0f"})],
    )
    def post(self, request: Request, event: str) -> HttpResponse:
        key, asked = self.named("evt", event), Redelivery.parse(request)
        with in_field("/endpoint", NotFound):
            named = None if asked.endpoint is None else self.named("whe", asked.endpoint)
            endpoint = None if named is None else queries.endpoint_of(self.merchant_id, named).id
        rows = services.redeliver_event(self.merchant_id, key, endpoint_id=endpoint, by=self.actor, at=self.now())
        return answer(RedeliveryOut(object="redelivery", deliveries=len(rows)))


def _types(text: str | None) -> list[str]:
    """The types that are named, one by one or by their kind.

    Raises:
        Invalid: there is no such type.
    """
    if text is None:
        return []
    named = text.split(",")
    if not all(name in TYPES or is_filter(name) for name in named):
        raise Invalid(errors=[FieldError("?type", "no such type of event")])
    return [name for name in TYPES if name in named or wants(named, name)]


def _subject(text: str | None) -> UUID | None:
    """The key behind any public id that events are about.

    Raises:
        Invalid: it is not an id of such a thing.
    """
    if text is None:
        return None
    for prefix in set(TYPES.values()):
        key = ids.parse(prefix, text)
        if key is not None:
            return key
    raise Invalid(errors=[FieldError("?subject", "not an id that events are about")])
