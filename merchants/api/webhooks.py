"""/v1/webhook_endpoints: where events go, and how each of them got on."""

from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponse
from msgspec import UNSET, to_builtins
from rest_framework.request import Request

from kernel.contract import Nothing, operation
from kernel.paging import page
from merchants import queries, services
from merchants.access import MerchantView, NotAllowed, answer
from merchants.api.shapes import (
    BulkRedelivery,
    BulkRedeliveryOut,
    DeliveryList,
    DeliveryQuery,
    EndpointChange,
    EndpointList,
    EndpointOut,
    NewEndpoint,
    PageQuery,
    PingOut,
    Rotation,
    delivery_out,
    endpoint_out,
    ping_out,
)
from merchants.models import WebhookEndpoint
from merchants.rules import Scope


class HookView(MerchantView):
    """What the doors to endpoints share."""

    def shown(self, endpoint: WebhookEndpoint, *, secret: str | None = None, status: int = 200) -> HttpResponse:
        return answer(endpoint_out(endpoint, secret=secret), status=status)


class Endpoints(HookView):
    """/v1/webhook_endpoints"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.WEBHOOKS_READ, "post": Scope.WEBHOOKS_WRITE}
    calls_outside = True

    @operation(
        "list_webhook_endpoints", "List webhook endpoints", gives=EndpointList, query=PageQuery, refuses=[NotAllowed]
    )
    def get(self, request: Request) -> HttpResponse:
        asked = PageQuery.parse_query(request)
        rows, cursor = page(queries.endpoints_of(self.merchant_id), cursor=asked.cursor, limit=asked.limit)
        return answer(EndpointList(data=[endpoint_out(row) for row in rows], next_cursor=cursor))

    @operation(
        "create_webhook_endpoint",
        "Add a webhook endpoint",
        takes=NewEndpoint,
        gives=EndpointOut,
        status=201,
        refuses=[
            NotAllowed,
            services.ForbiddenAddress,
            services.AddressNotFound,
            services.UnknownEventType,
            services.TooManyEndpoints,
        ],
        writes=True,
        examples=[
            ("Everything", {"url": "https://shop.example/hooks"}),
            ("Money only", {"url": "https://shop.example/money", "event_types": ["deduction.*", "order.deducted"]}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        asked = NewEndpoint.parse(request)
        endpoint, secret = services.add_endpoint(
            self.merchant_id,
            asked.url,
            event_types=asked.event_types,
            description=asked.description,
            by=self.actor,
            at=self.now(),
            begun=lambda made, secret: self.begun(partial(self.shown, made, secret=secret, status=201)),
        )
        return self.shown(endpoint, secret=secret, status=201)


class OneEndpoint(HookView):
    """/v1/webhook_endpoints/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {
        "get": Scope.WEBHOOKS_READ,
        "patch": Scope.WEBHOOKS_WRITE,
        "delete": Scope.WEBHOOKS_WRITE,
    }

    @operation("get_webhook_endpoint", "Get a webhook endpoint", gives=EndpointOut, refuses=[NotAllowed])
    def get(self, _request: Request, endpoint: str) -> HttpResponse:
        return self.shown(queries.endpoint_of(self.merchant_id, self.named("whe", endpoint)))

    @operation(
        "change_webhook_endpoint",
        "Change a webhook endpoint",
        takes=EndpointChange,
        gives=EndpointOut,
        refuses=[NotAllowed, services.ForbiddenAddress, services.AddressNotFound, services.UnknownEventType],
        examples=[("Switch it on again", {"state": "enabled"})],
    )
    def patch(self, request: Request, endpoint: str) -> HttpResponse:
        key, asked = self.named("whe", endpoint), EndpointChange.parse(request)
        terms: dict[str, Any] = {name: value for name, value in to_builtins(asked).items() if value is not UNSET}
        return self.shown(services.change_endpoint(self.merchant_id, key, terms, by=self.actor, at=self.now()))

    @operation("remove_webhook_endpoint", "Remove a webhook endpoint", gives=Nothing, refuses=[NotAllowed])
    def delete(self, _request: Request, endpoint: str) -> HttpResponse:
        services.remove_endpoint(self.merchant_id, self.named("whe", endpoint), by=self.actor, at=self.now())
        return answer(Nothing())


class RotateSecret(HookView):
    """/v1/webhook_endpoints/{id}/rotate_secret"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "rotate_webhook_secret",
        "Rotate an endpoint's secret",
        takes=Rotation,
        gives=EndpointOut,
        refuses=[NotAllowed],
        writes=True,
        examples=[("A day of both", {}), ("It leaked: at once", {"overlap_hours": 0})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key, asked = self.named("whe", endpoint), Rotation.parse(request)
        overlap = timedelta(hours=asked.overlap_hours)
        changed, secret = services.rotate_secret(self.merchant_id, key, overlap=overlap, by=self.actor, at=self.now())
        return self.shown(changed, secret=secret)


class PingEndpoint(HookView):
    """/v1/webhook_endpoints/{id}/ping"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}
    calls_outside = True

    @operation(
        "ping_webhook_endpoint",
        "Send a ping and return the response",
        takes=Nothing,
        gives=PingOut,
        refuses=[NotAllowed],
        writes=True,
        examples=[("Ping", {})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key = self.named("whe", endpoint)
        Nothing.parse(request)
        return answer(ping_out(services.ping_endpoint(self.merchant_id, key, by=self.actor, at=self.now())))


class Deliveries(HookView):
    """/v1/webhook_endpoints/{id}/deliveries"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.WEBHOOKS_READ}

    @operation(
        "list_webhook_deliveries",
        "List an endpoint's deliveries",
        gives=DeliveryList,
        query=DeliveryQuery,
        refuses=[NotAllowed],
    )
    def get(self, request: Request, endpoint: str) -> HttpResponse:
        found = queries.endpoint_of(self.merchant_id, self.named("whe", endpoint))
        asked = DeliveryQuery.parse_query(request)
        rows = queries.deliveries_of(self.merchant_id, endpoint_id=found.id, state=asked.state)
        shown, cursor = page(rows, cursor=asked.cursor, limit=asked.limit, of=found)
        return answer(DeliveryList(data=[delivery_out(row) for row in shown], next_cursor=cursor))


class RedeliverFailed(HookView):
    """/v1/webhook_endpoints/{id}/redeliver"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "redeliver_failed_webhooks",
        "Resend undelivered events",
        takes=BulkRedelivery,
        gives=BulkRedeliveryOut,
        refuses=[NotAllowed, services.EndpointDisabled],
        writes=True,
        examples=[("Since a night", {"since": "2026-11-20T22:00:00Z"})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key, asked = self.named("whe", endpoint), BulkRedelivery.parse(request)
        count = services.redeliver_failed(self.merchant_id, key, since=asked.since, by=self.actor, at=self.now())
        return answer(BulkRedeliveryOut(object="redelivery", deliveries=count))
