"""/v1/orders: opened, read, completed, cancelled, lowered, paid elsewhere."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from credit.refusals import ServicePaused
from kernel.contract import Nothing, operation
from kernel.paging import cut, page, page_of_span, place_of
from kernel.refusal import FieldError, Invalid, NotFound, in_field
from kernel.wire import Wire
from merchants import queries as merchants
from merchants.access import MerchantView, NotAllowed, WrongMode, answer
from merchants.models import Event
from merchants.refusals import MerchantNotActive
from merchants.rules import Scope
from orders import queries, refusals, services
from orders.api.shapes import (
    Cancellation,
    Completion,
    EventList,
    Modification,
    NewOrder,
    OrderEventQuery,
    OrderQuery,
    PaidElsewhere,
    told_out,
)
from orders.models import Order
from orders.wire import OrderOut, order_out

#: Nothing new is begun under the agreement, or with the merchant.
_STOPPED = [refusals.AgreementNotActive, MerchantNotActive]


class OrderList(Wire):
    """A page of orders, newest first."""

    data: list[OrderOut]
    next_cursor: str | None


class OrderView(MerchantView):
    """What the doors of one order share."""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ, "post": Scope.ORDERS_WRITE}

    def mine(self, order: str) -> UUID:
        """The key of the caller's own order.

        Raises:
            NotFound: missing, or another merchant's.
        """
        key = self.named("ord", order)
        if not queries.is_of(self.merchant_id, key):
            raise NotFound
        return key

    def shown(self, order_id: UUID, *, status: int = 200) -> HttpResponse:
        """The order as it stands now."""
        sheet = queries.sheet_for(self.merchant_id, order_id)
        return answer(order_out(sheet.order, sheet.obligations), status=status)


class Orders(OrderView):
    """/v1/orders"""

    @operation("list_orders", "List orders", gives=OrderList, query=OrderQuery, refuses=[NotAllowed])
    def get(self, request: Request) -> HttpResponse:
        asked = OrderQuery.parse_query(request)
        with in_field("?agreement", NotFound):
            under = None if asked.agreement is None else self.named("agr", asked.agreement)
        chosen = {"out_order_no": asked.out_order_no, "state": asked.state, "agreement_id": under}
        wanted = {name: value for name, value in chosen.items() if value is not None}
        every, span = Order.objects.filter(merchant_id=self.merchant_id), (asked.after, asked.before)
        if any(span):
            found, cursor = page_of_span(every, "created_at", span, cursor=asked.cursor, limit=asked.limit, **wanted)
        elif wanted:
            found, cursor = page(every.filter(**wanted), cursor=asked.cursor, limit=asked.limit)
        else:  # as programs ask again and again
            newest = queries.newest_of(self.merchant_id, before=place_of(asked.cursor, Order), limit=asked.limit + 1)
            found, cursor = cut(newest, asked.limit)
        return answer(
            OrderList(
                data=[order_out(sheet.order, sheet.obligations) for sheet in queries.sheets(found)], next_cursor=cursor
            )
        )

    @operation(
        "create_order",
        "Open an order: the person is assessed and the ceiling is held",
        takes=NewOrder,
        gives=OrderOut,
        status=201,
        also=[200],
        refuses=[
            NotAllowed,
            refusals.OrderRefused,
            refusals.OrderNumberReused,
            *_STOPPED,
            ServicePaused,
            refusals.AboveCeiling,
            refusals.WrongAmountField,
            refusals.CurrencyMismatch,
            refusals.TotalInvalid,
            refusals.TimesInvalid,
        ],
        writes=True,
        examples=[
            (
                "A power bank is taken",
                {"agreement": "agr_…", "out_order_no": "PB-1001", "title": "共享充电宝", "ceiling": 9900},
            ),
            (
                "Goods are ordered",
                {"agreement": "agr_…", "out_order_no": "SHOP-7", "title": "保温杯", "amount": 4990},
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        asked = NewOrder.parse(request)
        with in_field("/agreement", NotFound):
            wish = asked.wish(self.named("agr", asked.agreement))
            opening = services.open_order(self.merchant_id, wish, by=self.actor, at=self.now())
        if opening.order is None:
            return self.refused(refusals.OrderRefused(reason=opening.coarse_reason))
        if opening.decision is None:
            return self.shown(opening.order.id)
        return answer(order_out(opening.order, ()), status=201)


class OneOrder(OrderView):
    """/v1/orders/{id}"""

    @operation("get_order", "Get an order", gives=OrderOut, refuses=[NotAllowed])
    def get(self, _request: Request, order: str) -> HttpResponse:
        return self.shown(self.named("ord", order))


class CompleteOrder(OrderView):
    """/v1/orders/{id}/complete"""

    @operation(
        "complete_order",
        "Complete an order: the service has ended and the final amount is due",
        takes=Completion,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.TotalInvalid,
            refusals.AboveCeiling,
            refusals.EndsInFuture,
            refusals.TimesInvalid,
        ],
        writes=True,
        examples=[("Returned after three hours", {"total": 600})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, asked = self.mine(order), Completion.parse(request)
        services.complete_order(key, asked.final(), by=self.actor, at=self.now())
        return self.shown(key)


class CancelOrder(OrderView):
    """/v1/orders/{id}/cancel"""

    @operation(
        "cancel_order",
        "Cancel an order, waiving what is owed for it",
        takes=Cancellation,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
        ],
        writes=True,
        examples=[("Out of stock", {"reason": "out of stock"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, asked = self.mine(order), Cancellation.parse(request)
        services.cancel_order(key, asked.reason, by=self.actor, at=self.now())
        return self.shown(key)


class ModifyOrder(OrderView):
    """/v1/orders/{id}/modify"""

    @operation(
        "modify_order",
        "Reduce the total",
        takes=Modification,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.TotalRaised,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
        ],
        writes=True,
        examples=[("Goodwill", {"total": 300, "reason": "the cable was broken"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, asked = self.mine(order), Modification.parse(request)
        services.lower_total(key, asked.total, asked.reason, by=self.actor, at=self.now())
        return self.shown(key)


class MarkPaid(OrderView):
    """/v1/orders/{id}/mark_paid"""

    @operation(
        "mark_order_paid",
        "Mark an order as paid outside the platform",
        takes=PaidElsewhere,
        gives=OrderOut,
        refuses=[
            NotAllowed,
            refusals.OrderState,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
            refusals.TimesInvalid,
        ],
        writes=True,
        examples=[("Cash at the counter", {"paid_at": "2026-11-21T08:00:00Z", "reference": "till-17"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, asked = self.mine(order), PaidElsewhere.parse(request)
        services.mark_paid(key, asked.paid_at, asked.reference, by=self.actor, at=self.now())
        return self.shown(key)


class OrderEvents(OrderView):
    """/v1/orders/{id}/events"""

    @operation(
        "list_order_events", "What happened to an order", gives=EventList, query=OrderEventQuery, refuses=[NotAllowed]
    )
    def get(self, request: Request, order: str) -> HttpResponse:
        key, asked = self.mine(order), OrderEventQuery.parse_query(request)
        try:
            rows = merchants.events_about(self.merchant_id, key, beyond=place_of(asked.cursor, Event))
        except NotFound:
            raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")]) from None
        found, cursor = cut(list(rows[: asked.limit + 1]), asked.limit)
        return answer(EventList(data=[told_out(row) for row in found], next_cursor=cursor))


class ConfirmInSandbox(OrderView):
    """/v1/sandbox/orders/{id}/confirm"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_confirm_order",
        "Confirm an order on behalf of a test user",
        takes=Nothing,
        gives=OrderOut,
        refuses=[NotAllowed, WrongMode, refusals.OrderState, refusals.OrderRefused, *_STOPPED, ServicePaused],
        writes=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        key = self.mine(order)
        opening = services.confirm_order(key, by=self.actor, at=self.now())
        if opening.order is None:
            return self.refused(refusals.OrderRefused(reason=opening.coarse_reason))
        return self.shown(key)


class DeclineInSandbox(OrderView):
    """/v1/sandbox/orders/{id}/decline"""

    scopes: ClassVar[dict[str, Scope]] = {"post": Scope.SANDBOX}
    sandbox_only = True

    @operation(
        "sandbox_decline_order",
        "Decline an order on behalf of a test user",
        takes=Nothing,
        gives=OrderOut,
        refuses=[NotAllowed, WrongMode, refusals.OrderState],
        writes=True,
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        Nothing.parse(request)
        key = self.mine(order)
        services.decline_order(key, by=self.actor, at=self.now())
        return self.shown(key)
