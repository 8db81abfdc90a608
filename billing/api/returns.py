"""/v1/returns, and how one is begun"""

from typing import Annotated, ClassVar, Literal

from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from billing import sent_back
from billing.models import Return
from billing.refusals import AmountInvalid, NotReturnable, RefundTooMuch, ReturnClosed, ReturnOpen
from billing.sent_back import ReturnOut, return_out
from billing.services.return_ends import confirm_return, refuse_return
from billing.services.returns import Parcel, open_return
from kernel.contract import Nothing, operation
from kernel.money import MOST_MINOR
from kernel.paging import LIMIT_MAX, page
from kernel.refusal import Busy, NotFound, in_field
from kernel.wire import Wire
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.rules import Scope
from orders import queries as orders
from orders import refusals

_REFUSES = [
    NotAllowed,
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
    amount: Annotated[int, Meta(ge=1, le=MOST_MINOR)] | None = None

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
    """A door to a merchant's own return."""

    def mine(self, returned: str) -> Return:
        return sent_back.return_of(self.merchant_id, self.named("ret", returned))


class Returns(MerchantView):
    """/v1/returns"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("list_returns", "List returns", gives=ReturnList, query=ReturnQuery, refuses=[NotAllowed])
    def get(self, request: Request) -> HttpResponse:
        asked = ReturnQuery.parse_query(request)
        with in_field("?order", NotFound):
            order_id = self.named("ord", asked.order) if asked.order is not None else None
        rows = sent_back.returns_of(self.merchant_id, state=asked.state, order_id=order_id)
        found, cursor = page(rows, cursor=asked.cursor, limit=asked.limit)
        return answer(ReturnList(data=[return_out(row) for row in found], next_cursor=cursor))


class OneReturn(ReturnView):
    """/v1/returns/{id}"""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ}

    @operation("get_return", "Get a return", gives=ReturnOut, refuses=[NotAllowed])
    def get(self, _request: Request, returned: str) -> HttpResponse:
        return answer(return_out(self.mine(returned)))


class OrderReturns(MerchantView):
    """/v1/orders/{id}/returns"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_outside = True

    @operation(
        "return_order",
        "Register a return: customers with a good record get an early refund from the platform",
        takes=NewReturn,
        gives=ReturnOut,
        status=201,
        also=[200],
        refuses=_REFUSES,
        writes=True,
        examples=[("All of it", _PARCEL), ("A part of it", {**_PARCEL, "amount": 200})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        asked = NewReturn.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        row, fresh = open_return(mine.id, asked.parcel(), by=self.actor, at=self.now())
        return answer(return_out(row), status=201 if fresh else 200)


class ConfirmReturn(ReturnView):
    """/v1/returns/{id}/confirm"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}
    calls_outside = True

    @operation(
        "confirm_return",
        "Confirm receipt: you bear the refund, and your fee for it is returned",
        takes=Nothing,
        gives=ReturnOut,
        refuses=[NotAllowed, ReturnClosed, RefundTooMuch, refusals.DeductionInFlight, Busy],
        writes=True,
    )
    def post(self, request: Request, returned: str) -> HttpResponse:
        Nothing.parse(request)
        row = confirm_return(self.mine(returned).id, by=self.actor, at=self.now())
        return answer(return_out(row))


class RefuseReturn(ReturnView):
    """/v1/returns/{id}/refuse"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.ORDERS_WRITE}

    @operation(
        "refuse_return",
        "Refuse a return with a reason, before `answer_until`; the platform decides",
        takes=ReturnRefusal,
        gives=ReturnOut,
        refuses=[NotAllowed, ReturnClosed],
        writes=True,
        examples=[("Nothing came", {"reason": "包裹是空的，有开箱录像"})],
    )
    def post(self, request: Request, returned: str) -> HttpResponse:
        asked = ReturnRefusal.parse(request)
        row = refuse_return(self.mine(returned).id, asked.reason, by=self.actor, at=self.now())
        return answer(return_out(row))


class ReturnInSandbox(MerchantView):
    """/v1/sandbox/orders/{id}/return"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True
    calls_outside = True

    @operation(
        "sandbox_return_order",
        "Register a return on behalf of a test user",
        takes=NewReturn,
        gives=ReturnOut,
        status=201,
        also=[200],
        refuses=[*_REFUSES, WrongMode],
        writes=True,
        examples=[("All of it", _PARCEL)],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        asked = NewReturn.parse(request)
        mine = orders.order_of(self.merchant_id, self.named("ord", order))
        row, fresh = open_return(mine.id, asked.parcel(), by=self.actor, at=self.now())
        return answer(return_out(row), status=201 if fresh else 200)
