"""/v1/orders/{id}/collect"""

from functools import partial
from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from billing.refusals import AboveLimits, NoInstrument, OrderPaused, TooOften
from billing.services import pay
from kernel.openapi import Nothing, operation
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals
from orders.models import Order
from orders.wire import OrderOut, order_out


class CollectOrder(MerchantView):
    """/v1/orders/{id}/collect"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_external = True

    @operation(
        "collect_order",
        "Attempt a deduction now; the platform's schedule does not change",
        request=Nothing,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
            refusals.PaidByHand,
            refusals.PlanAgreed,
            refusals.NotDueYet,
            refusals.DayChosen,
            NoInstrument,
            AboveLimits,
            OrderPaused,
            TooOften,
        ],
        idempotent=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        pay.collect_now(
            own_order.id,
            by=self.actor,
            at=self.now(),
            on_started=lambda: self.save_provisional_response(partial(self._order_response, own_order)),
        )
        return self._order_response(own_order)

    def _order_response(self, own_order: Order) -> HttpResponse:
        details = orders.merchant_order_details(self.merchant_id, own_order.id)
        return json_response(order_out(details.order, details.obligations))
