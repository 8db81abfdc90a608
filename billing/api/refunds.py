"""/v1/orders/{id}/refunds"""

from functools import partial
from typing import Annotated, ClassVar

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import queries
from billing.models import Refund
from billing.refusals import RefundNumberReused, RefundTooMuch, ReturnOpen
from billing.services.refund import Asked, refund_order
from billing.wire import RefundOut, refund_out
from kernel.contract import operation
from kernel.money import MOST_MINOR
from kernel.paging import LIMIT_MAX, page
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, answer
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals


class NewRefund(Wire):
    """Refund an order in part or in full."""

    amount: Annotated[int, Meta(ge=1, le=MOST_MINOR)]
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
    calls_outside = True

    @operation(
        "list_order_refunds", "List an order's refunds", gives=RefundList, query=RefundQuery, refuses=[NotAllowed]
    )
    def get(self, request: Request, order: str) -> HttpResponse:
        asked = RefundQuery.parse_query(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        found, cursor = page(queries.refunds_of(mine.id), cursor=asked.cursor, limit=asked.limit, of=mine)
        return answer(RefundList(data=[refund_out(row) for row in found], next_cursor=cursor))

    @operation(
        "refund_order",
        "Refund an order: the unpaid part is no longer owed, the rest goes back to the payment method",
        takes=NewRefund,
        gives=RefundOut,
        status=201,
        also=[200],
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.PaidElsewhere,
            refusals.WrittenOff,
            refusals.DeductionInFlight,
            RefundTooMuch,
            RefundNumberReused,
            ReturnOpen,
        ],
        writes=True,
        examples=[("A part of it", {"amount": 200, "reason": "the cable was broken", "out_refund_no": "R-1001"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        asked = NewRefund.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        wish = Asked(amount_minor=asked.amount, reason=asked.reason, out_refund_no=asked.out_refund_no)
        refund, fresh = refund_order(
            mine.id,
            wish,
            by=self.actor,
            at=self.now(),
            begun=lambda refund, fresh: self.begun(partial(_shown, refund, fresh=fresh)),
        )
        return _shown(refund, fresh=fresh)


def _shown(refund: Refund, *, fresh: bool) -> HttpResponse:
    return answer(refund_out(refund), status=201 if fresh else 200)
