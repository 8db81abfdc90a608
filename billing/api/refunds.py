"""/v1/orders/{id}/refunds"""

from functools import partial
from typing import Annotated, ClassVar

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import queries
from billing.models import Refund
from billing.refusals import RefundNumberReused, RefundTooMuch
from billing.return_refusals import ReturnOpen
from billing.services.refunds import RefundDetails, refund_order
from billing.wire import RefundOut, refund_out
from kernel.money import AMOUNT_MINOR_MAX
from kernel.openapi import operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.wire import Wire
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals


class NewRefund(Wire):
    """Refund an order in part or in full."""

    amount: Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX)]
    reason: Annotated[str, Meta(min_length=1, max_length=100)]
    out_refund_no: Annotated[str, Meta(pattern=r"^[0-9A-Za-z_\-|*]{1,32}$(?!\n)")] | None = None


class RefundQuery(Wire):
    """Which of them."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class RefundList(Wire):
    """A page of an order's refunds, newest first."""

    data: list[RefundOut]
    next_cursor: str | None


class OrderRefunds(MerchantView):
    """/v1/orders/{id}/refunds"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ, "post": Scope.ORDERS_WRITE}
    calls_external = True

    @operation(
        "list_order_refunds",
        "List an order's refunds",
        response=RefundList,
        query=RefundQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request, order: str) -> HttpResponse:
        params = RefundQuery.parse_query(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        found, cursor = paginate(
            queries.refunds_of(own_order.id), cursor=params.cursor, limit=params.limit, owner=own_order
        )
        return json_response(RefundList(data=[refund_out(row) for row in found], next_cursor=cursor))

    @operation(
        "refund_order",
        "Refund an order: the unpaid part is no longer owed, the rest goes back to the payment method",
        request=NewRefund,
        response=RefundOut,
        status=201,
        also_statuses=[200],
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.PaidElsewhere,
            refusals.WrittenOff,
            refusals.DeductionInFlight,
            RefundTooMuch,
            RefundNumberReused,
            ReturnOpen,
        ],
        idempotent=True,
        examples=[("A part of it", {"amount": 200, "reason": "the cable was broken", "out_refund_no": "R-1001"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        body = NewRefund.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        details = RefundDetails(amount_minor=body.amount, reason=body.reason, out_refund_no=body.out_refund_no)
        refund, created = refund_order(
            own_order.id,
            details,
            by=self.actor,
            at=self.now(),
            on_created=lambda refund, fresh: self.save_provisional_response(
                partial(_refund_response, refund, created=fresh)
            ),
        )
        return _refund_response(refund, created=created)


def _refund_response(refund: Refund, *, created: bool) -> HttpResponse:
    return json_response(refund_out(refund), status=201 if created else 200)
