"""/v1/returns and /v1/orders/{id}/returns"""

from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import return_queries
from billing.models import Return
from billing.refusals import AmountInvalid, RefundTooMuch
from billing.return_queries import ReturnOut, return_out
from billing.return_refusals import NotReturnable, ReturnClosed, ReturnOpen
from billing.services.return_decisions import confirm_return, refuse_return
from billing.services.returns import Parcel, open_return
from kernel.money import AMOUNT_MINOR_MAX
from kernel.openapi import Nothing, operation
from kernel.paging import LIMIT_MAX, paginate
from kernel.refusal import Busy, NotFound, refusals_in_field
from kernel.wire import Wire
from merchants.access import InsufficientScope, MerchantView, SandboxKeyRequired, json_response
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals

_REFUSALS = [
    InsufficientScope,
    NotReturnable,
    refusals.PaidElsewhere,
    refusals.WrittenOff,
    AmountInvalid,
    RefundTooMuch,
    ReturnOpen,
]
_PARCEL = {"carrier": "顺丰速运", "tracking_number": "SF1020304050607", "reason": "尺码不合适"}


class NewReturn(Wire):
    """A parcel is on its way back to you; all that is left of the order, if no `amount` is said."""

    carrier: Annotated[str, Meta(min_length=1, max_length=40)]
    tracking_number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z\-]{1,40}$(?!\n)")]
    reason: Annotated[str, Meta(min_length=1, max_length=100)]
    amount: Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX)] | None = None

    def parcel(self) -> Parcel:
        return Parcel(
            carrier=self.carrier,
            tracking_number=self.tracking_number,
            reason=self.reason,
            amount_minor=self.amount,
        )


class ReturnRefusal(Wire):
    """Why you refuse it; our staff read it and decide."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class ReturnQuery(Wire):
    """Which of them."""

    state: Literal["open", "advanced", "refused", "confirmed", "denied", "borne", "withdrawn"] | None = None
    order: str | None = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None


class ReturnList(Wire):
    """A page of returns, newest first."""

    data: list[ReturnOut]
    next_cursor: str | None


class ReturnView(MerchantView):
    """Base of the views of one return."""

    def own_return(self, returned: str) -> Return:
        return return_queries.return_of(self.merchant_id, self.parse_id("ret", returned))


class Returns(MerchantView):
    """/v1/returns"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("list_returns", "List returns", response=ReturnList, query=ReturnQuery, refusals=[InsufficientScope])
    def get(self, request: Request) -> HttpResponse:
        params = ReturnQuery.parse_query(request)
        with refusals_in_field("?order", NotFound):
            order_id = self.parse_id("ord", params.order) if params.order is not None else None
        rows = return_queries.returns_of(self.merchant_id, state=params.state, order_id=order_id)
        found, cursor = paginate(rows, cursor=params.cursor, limit=params.limit)
        return json_response(ReturnList(data=[return_out(row) for row in found], next_cursor=cursor))


class OneReturn(ReturnView):
    """/v1/returns/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("get_return", "Get a return", response=ReturnOut, refusals=[InsufficientScope])
    def get(self, _request: Request, returned: str) -> HttpResponse:
        return json_response(return_out(self.own_return(returned)))


class OrderReturns(MerchantView):
    """/v1/orders/{id}/returns"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_external = True

    @operation(
        "return_order",
        "Register a return: customers with a good record get an early refund from the platform",
        request=NewReturn,
        response=ReturnOut,
        status=201,
        also_statuses=[200],
        refusals=_REFUSALS,
        idempotent=True,
        examples=[("All of it", _PARCEL), ("A part of it", {**_PARCEL, "amount": 200})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        body = NewReturn.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        row, created = open_return(own_order.id, body.parcel(), by=self.actor, at=self.now())
        return json_response(return_out(row), status=201 if created else 200)


class ConfirmReturn(ReturnView):
    """/v1/returns/{id}/confirm"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_external = True

    @operation(
        "confirm_return",
        "Confirm receipt: you bear the refund, and your fee for it is returned",
        request=Nothing,
        response=ReturnOut,
        refusals=[InsufficientScope, ReturnClosed, RefundTooMuch, refusals.DeductionInFlight, Busy],
        idempotent=True,
    )
    def post(self, request: Request, returned: str) -> HttpResponse:
        Nothing.parse(request)
        row = confirm_return(self.own_return(returned).id, by=self.actor, at=self.now())
        return json_response(return_out(row))


class RefuseReturn(ReturnView):
    """/v1/returns/{id}/refuse"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}

    @operation(
        "refuse_return",
        "Refuse a return with a reason, before `answer_until`; the platform decides",
        request=ReturnRefusal,
        response=ReturnOut,
        refusals=[InsufficientScope, ReturnClosed],
        idempotent=True,
        examples=[("Nothing came", {"reason": "包裹是空的，有开箱录像"})],
    )
    def post(self, request: Request, returned: str) -> HttpResponse:
        body = ReturnRefusal.parse(request)
        row = refuse_return(self.own_return(returned).id, body.reason, by=self.actor, at=self.now())
        return json_response(return_out(row))


class ReturnInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/return"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_external = True

    @operation(
        "sandbox_return_order",
        "Register a return on behalf of a test user",
        request=NewReturn,
        response=ReturnOut,
        status=201,
        also_statuses=[200],
        refusals=[*_REFUSALS, SandboxKeyRequired],
        idempotent=True,
        examples=[("All of it", _PARCEL)],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        body = NewReturn.parse(request)
        own_order = orders.order_of(self.merchant_id, self.parse_id("ord", order))
        row, created = open_return(own_order.id, body.parcel(), by=self.actor, at=self.now())
        return json_response(return_out(row), status=201 if created else 200)
