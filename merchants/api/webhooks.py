"""/v1/webhook_endpoints: manage endpoints, ping them, list their deliveries and resend."""

from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponse
from msgspec import UNSET, to_builtins
from rest_framework.request import Request

from kernel.openapi import Nothing, operation
from kernel.paging import paginate
from merchants import queries, services
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.api.schemas import (
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


class EndpointView(MerchantView):
    """The base class of views about webhook endpoints."""

    def endpoint_response(
        self, endpoint: WebhookEndpoint, *, secret: str | None = None, status: int = 200
    ) -> HttpResponse:
        return json_response(endpoint_out(endpoint, secret=secret, at=self.now()), status=status)


class Endpoints(EndpointView):
    """/v1/webhook_endpoints"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.WEBHOOKS_READ, "post": Scope.WEBHOOKS_WRITE}
    calls_external = True

    @operation(
        "list_webhook_endpoints",
        "List webhook endpoints",
        response=EndpointList,
        query=PageQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request) -> HttpResponse:
        query = PageQuery.parse_query(request)
        rows, cursor = paginate(queries.endpoints_of(self.merchant_id), cursor=query.cursor, limit=query.limit)
        at = self.now()
        return json_response(EndpointList(data=[endpoint_out(row, at=at) for row in rows], next_cursor=cursor))

    @operation(
        "create_webhook_endpoint",
        "Add a webhook endpoint",
        request=NewEndpoint,
        response=EndpointOut,
        status=201,
        refusals=[
            InsufficientScope,
            services.ForbiddenAddress,
            services.AddressNotFound,
            services.UnknownEventType,
            services.TooManyEndpoints,
        ],
        idempotent=True,
        examples=[
            ("Everything", {"url": "https://shop.example/hooks"}),
            ("Money only", {"url": "https://shop.example/money", "event_types": ["deduction.*", "order.deducted"]}),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        body = NewEndpoint.parse(request)
        endpoint, secret = services.add_endpoint(
            self.merchant_id,
            body.url,
            event_types=body.event_types,
            description=body.description,
            by=self.actor,
            at=self.now(),
            on_created=lambda made, secret: self.save_provisional_response(
                partial(self.endpoint_response, made, secret=secret, status=201)
            ),
        )
        return self.endpoint_response(endpoint, secret=secret, status=201)


class OneEndpoint(EndpointView):
    """/v1/webhook_endpoints/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {
        "get": Scope.WEBHOOKS_READ,
        "patch": Scope.WEBHOOKS_WRITE,
        "delete": Scope.WEBHOOKS_WRITE,
    }

    @operation("get_webhook_endpoint", "Get a webhook endpoint", response=EndpointOut, refusals=[InsufficientScope])
    def get(self, _request: Request, endpoint: str) -> HttpResponse:
        return self.endpoint_response(queries.endpoint_of(self.merchant_id, self.parse_id("whe", endpoint)))

    @operation(
        "change_webhook_endpoint",
        "Change a webhook endpoint",
        request=EndpointChange,
        response=EndpointOut,
        refusals=[InsufficientScope, services.ForbiddenAddress, services.AddressNotFound, services.UnknownEventType],
        examples=[("Switch it on again", {"state": "enabled"})],
    )
    def patch(self, request: Request, endpoint: str) -> HttpResponse:
        key, body = self.parse_id("whe", endpoint), EndpointChange.parse(request)
        terms: dict[str, Any] = {name: value for name, value in to_builtins(body).items() if value is not UNSET}
        return self.endpoint_response(
            services.change_endpoint(self.merchant_id, key, terms, by=self.actor, at=self.now())
        )

    @operation("remove_webhook_endpoint", "Remove a webhook endpoint", response=Nothing, refusals=[InsufficientScope])
    def delete(self, _request: Request, endpoint: str) -> HttpResponse:
        services.remove_endpoint(self.merchant_id, self.parse_id("whe", endpoint), by=self.actor, at=self.now())
        return json_response(Nothing())


class RotateSecret(EndpointView):
    """/v1/webhook_endpoints/{id}/rotate_secret"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "rotate_webhook_secret",
        "Rotate an endpoint's secret",
        request=Rotation,
        response=EndpointOut,
        refusals=[InsufficientScope],
        idempotent=True,
        examples=[("A day of both", {}), ("It leaked: at once", {"overlap_hours": 0})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key, body = self.parse_id("whe", endpoint), Rotation.parse(request)
        overlap = timedelta(hours=body.overlap_hours)
        changed, secret = services.rotate_secret(self.merchant_id, key, overlap=overlap, by=self.actor, at=self.now())
        return self.endpoint_response(changed, secret=secret)


class PingEndpoint(EndpointView):
    """/v1/webhook_endpoints/{id}/ping"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}
    calls_external = True

    @operation(
        "ping_webhook_endpoint",
        "Send a ping and return the response",
        request=Nothing,
        response=PingOut,
        refusals=[InsufficientScope],
        idempotent=True,
        examples=[("Ping", {})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key = self.parse_id("whe", endpoint)
        Nothing.parse(request)
        return json_response(ping_out(services.ping_endpoint(self.merchant_id, key, by=self.actor, at=self.now())))


class Deliveries(EndpointView):
    """/v1/webhook_endpoints/{id}/deliveries"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.WEBHOOKS_READ}

    @operation(
        "list_webhook_deliveries",
        "List an endpoint's deliveries",
        response=DeliveryList,
        query=DeliveryQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request, endpoint: str) -> HttpResponse:
        found = queries.endpoint_of(self.merchant_id, self.parse_id("whe", endpoint))
        query = DeliveryQuery.parse_query(request)
        rows = queries.deliveries_of(self.merchant_id, endpoint_id=found.id, state=query.state)
        page_rows, cursor = paginate(rows, cursor=query.cursor, limit=query.limit, owner=found)
        return json_response(DeliveryList(data=[delivery_out(row) for row in page_rows], next_cursor=cursor))


class RedeliverFailed(EndpointView):
    """/v1/webhook_endpoints/{id}/redeliver"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.WEBHOOKS_WRITE}

    @operation(
        "redeliver_failed_webhooks",
        "Resend undelivered events",
        request=BulkRedelivery,
        response=BulkRedeliveryOut,
        refusals=[InsufficientScope, services.EndpointDisabled],
        idempotent=True,
        examples=[("Since a night", {"since": "2026-11-20T22:00:00Z"})],
    )
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        key, body = self.parse_id("whe", endpoint), BulkRedelivery.parse(request)
        count = services.redeliver_failed(self.merchant_id, key, since=body.since, by=self.actor, at=self.now())
        return json_response(BulkRedeliveryOut(object="redelivery", deliveries=count))
