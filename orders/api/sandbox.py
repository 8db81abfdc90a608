"""/v1/sandbox/orders/{id}/confirm and /decline: what the person would do on their pages."""

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from credit.refusals import ServicePaused
from kernel.openapi import Nothing, operation
from merchants.access import InsufficientScope, SandboxKeyRequired
from merchants.rules import Scope
from orders import refusals, services
from orders.api.views import NEW_ORDERS_REFUSED, OrderView
from orders.wire import OrderOut


class ConfirmInSandbox(OrderView):
    """/v1/sandbox/orders/{id}/confirm"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_confirm_order",
        "Confirm an order on behalf of a test user",
        request=Nothing,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            SandboxKeyRequired,
            refusals.OrderState,
            refusals.OrderRefused,
            *NEW_ORDERS_REFUSED,
            ServicePaused,
        ],
        idempotent=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        key = self.own_order_id(order)
        result = services.confirm_order(key, by=self.actor, at=self.now())
        if result.order is None:
            return self.refusal_response(refusals.OrderRefused(reason=result.coarse_reason))
        return self.order_response(key)


class DeclineInSandbox(OrderView):
    """/v1/sandbox/orders/{id}/decline"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_decline_order",
        "Decline an order on behalf of a test user",
        request=Nothing,
        response=OrderOut,
        refusals=[InsufficientScope, SandboxKeyRequired, refusals.OrderState],
        idempotent=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        key = self.own_order_id(order)
        services.decline_order(key, by=self.actor, at=self.now())
        return self.order_response(key)
