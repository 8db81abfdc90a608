"""/v1/orders: opened, read, completed, cancelled, lowered, paid elsewhere."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from credit.refusals import ServicePaused
from kernel.openapi import operation
from kernel.paging import paginate, paginate_span, parse_cursor, slice_page
from kernel.refusal import FieldError, Invalid, NotFound, refusals_in_field
from kernel.wire import Wire
from merchants import queries as merchants
from merchants.access import InsufficientScope, MerchantView, json_response
from merchants.models import Event
from merchants.refusals import MerchantNotActive
from merchants.rules import Scope
from orders import queries, refusals, services
from orders.api.schemas import (
    Cancellation,
    Completion,
    EventList,
    Modification,
    NewOrder,
    OrderEventQuery,
    OrderQuery,
    PaidElsewhere,
    order_event_out,
)
from orders.models import Order
from orders.wire import OrderOut, order_out

#: Refusals where the agreement or the merchant takes no new orders.
NEW_ORDERS_REFUSED = [refusals.AgreementNotActive, MerchantNotActive]


class OrderList(Wire):
    """A page of orders, newest first."""

    data: list[OrderOut]
    next_cursor: str | None


class OrderView(MerchantView):
    """Base class of the views of one order."""

    scopes: ClassVar[dict[str, Scope]] = {"get": Scope.ORDERS_READ, "post": Scope.ORDERS_WRITE}

    def own_order_id(self, order: str) -> UUID:
        """The id of the merchant's own order.

        Raises:
            NotFound: missing, or another merchant's.
        """
        key = self.parse_id("ord", order)
        if not queries.is_order_of(self.merchant_id, key):
            raise NotFound
        return key

    def order_response(self, order_id: UUID, *, status: int = 200) -> HttpResponse:
        """The order in its current state."""
        details = queries.merchant_order_details(self.merchant_id, order_id)
        return json_response(order_out(details.order, details.obligations), status=status)


class Orders(OrderView):
    """/v1/orders"""

    @operation("list_orders", "List orders", response=OrderList, query=OrderQuery, refusals=[InsufficientScope])
    def get(self, request: Request) -> HttpResponse:
        query = OrderQuery.parse_query(request)
        with refusals_in_field("?agreement", NotFound):
            agreement_id = None if query.agreement is None else self.parse_id("agr", query.agreement)
        given = {"out_order_no": query.out_order_no, "state": query.state, "agreement_id": agreement_id}
        filters = {name: value for name, value in given.items() if value is not None}
        rows, span = Order.objects.filter(merchant_id=self.merchant_id), (query.after, query.before)
        if any(span):
            orders, cursor = paginate_span(rows, "created_at", span, cursor=query.cursor, limit=query.limit, **filters)
        elif filters:
            orders, cursor = paginate(rows.filter(**filters), cursor=query.cursor, limit=query.limit)
        else:  # the most frequent query
            newest = queries.latest_orders_of(
                self.merchant_id, before=parse_cursor(query.cursor, Order), limit=query.limit + 1
            )
            orders, cursor = slice_page(newest, query.limit)
        return json_response(
            OrderList(
                data=[order_out(details.order, details.obligations) for details in queries.details_of_orders(orders)],
                next_cursor=cursor,
            )
        )

    @operation(
        "create_order",
        "Open an order: the person is assessed and the ceiling is held",
        request=NewOrder,
        response=OrderOut,
        status=201,
        also_statuses=[200],
        refusals=[
            InsufficientScope,
            refusals.OrderRefused,
            refusals.OrderNumberReused,
            *NEW_ORDERS_REFUSED,
            ServicePaused,
            refusals.AboveCeiling,
            refusals.WrongAmountField,
            refusals.CurrencyMismatch,
            refusals.TotalInvalid,
            refusals.TimesInvalid,
        ],
        idempotent=True,
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
        body = NewOrder.parse(request)
        with refusals_in_field("/agreement", NotFound):
            order_request = body.to_request(self.parse_id("agr", body.agreement))
            result = services.open_order(self.merchant_id, order_request, by=self.actor, at=self.now())
        if result.order is None:
            return self.refusal_response(refusals.OrderRefused(reason=result.coarse_reason))
        if result.decision is None:
            return self.order_response(result.order.id)
        return json_response(order_out(result.order, ()), status=201)


class OneOrder(OrderView):
    """/v1/orders/{id}"""

    @operation("get_order", "Get an order", response=OrderOut, refusals=[InsufficientScope])
    def get(self, _request: Request, order: str) -> HttpResponse:
        return self.order_response(self.parse_id("ord", order))


class CompleteOrder(OrderView):
    """/v1/orders/{id}/complete"""

    @operation(
        "complete_order",
        "Complete an order: the service has ended and the final amount is due",
        request=Completion,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.TotalInvalid,
            refusals.AboveCeiling,
            refusals.EndsInFuture,
            refusals.TimesInvalid,
        ],
        idempotent=True,
        examples=[("Returned after three hours", {"total": 600})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, body = self.own_order_id(order), Completion.parse(request)
        services.complete_order(key, body.to_request(), by=self.actor, at=self.now())
        return self.order_response(key)


class CancelOrder(OrderView):
    """/v1/orders/{id}/cancel"""

    @operation(
        "cancel_order",
        "Cancel an order, waiving what is owed for it",
        request=Cancellation,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
        ],
        idempotent=True,
        examples=[("Out of stock", {"reason": "out of stock"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, body = self.own_order_id(order), Cancellation.parse(request)
        services.cancel_order(key, body.reason, by=self.actor, at=self.now())
        return self.order_response(key)


class ModifyOrder(OrderView):
    """/v1/orders/{id}/modify"""

    @operation(
        "modify_order",
        "Reduce the total",
        request=Modification,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.TotalRaised,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
        ],
        idempotent=True,
        examples=[("Goodwill", {"total": 300, "reason": "the cable was broken"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, body = self.own_order_id(order), Modification.parse(request)
        services.reduce_total(key, body.total, body.reason, by=self.actor, at=self.now())
        return self.order_response(key)


class MarkPaid(OrderView):
    """/v1/orders/{id}/mark_paid"""

    @operation(
        "mark_order_paid",
        "Mark an order as paid outside the platform",
        request=PaidElsewhere,
        response=OrderOut,
        refusals=[
            InsufficientScope,
            refusals.OrderState,
            refusals.AlreadyCollected,
            refusals.DeductionInFlight,
            refusals.WrittenOff,
            refusals.TimesInvalid,
        ],
        idempotent=True,
        examples=[("Cash at the counter", {"paid_at": "2026-11-21T08:00:00Z", "reference": "till-17"})],
    )
    def post(self, request: Request, order: str) -> HttpResponse:
        key, body = self.own_order_id(order), PaidElsewhere.parse(request)
        services.mark_paid(key, body.paid_at, body.reference, by=self.actor, at=self.now())
        return self.order_response(key)


class OrderEvents(OrderView):
    """/v1/orders/{id}/events"""

    @operation(
        "list_order_events",
        "What happened to an order",
        response=EventList,
        query=OrderEventQuery,
        refusals=[InsufficientScope],
    )
    def get(self, request: Request, order: str) -> HttpResponse:
        key, query = self.own_order_id(order), OrderEventQuery.parse_query(request)
        try:
            rows = merchants.events_of_subject(self.merchant_id, key, after_event=parse_cursor(query.cursor, Event))
        except NotFound:
            raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")]) from None
        events, cursor = slice_page(list(rows[: query.limit + 1]), query.limit)
        return json_response(EventList(data=[order_event_out(row) for row in events], next_cursor=cursor))
