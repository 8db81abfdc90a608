"""Request bodies and queries of /v1/orders."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, structs, to_builtins

from kernel.money import AMOUNT_MINOR_MAX
from kernel.paging import LIMIT_MAX
from kernel.wire import Moment, Wire
from merchants.models import Event
from merchants.wire import MerchantEvent, event_out
from orders.services import CompletionRequest, OrderRequest
from orders.wire import Amount, Discount, Item

OutOrderNo = Annotated[
    str, Meta(pattern=r"^[0-9A-Za-z_\-|*]{1,32}$(?!\n)", description="Your order number, permanently unique.")
]
Time = Annotated[datetime, Meta(tz=True)]
Place = Annotated[str, Meta(max_length=100)]
Items = Annotated[list[Item], Meta(max_length=100)]
Discounts = Annotated[list[Discount], Meta(max_length=30)]
Reason = Annotated[str, Meta(min_length=1, max_length=100)]
Metadata = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=40)], Annotated[str, Meta(max_length=500)]], Meta(max_length=50)
]


class NewOrder(Wire):
    """A person is about to use the service. A fixed service takes `amount`, a dynamic one `ceiling` (or its own)."""

    agreement: str
    out_order_no: OutOrderNo
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "CNY"
    amount: Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX)] | None = None
    ceiling: Annotated[int, Meta(ge=1, le=AMOUNT_MINOR_MAX)] | None = None
    items: Items = []
    discounts: Discounts = []
    starts_at: Time | None = None
    ends_at: Time | None = None
    start_location: Place = ""
    end_location: Place = ""
    attach: Annotated[str, Meta(max_length=256)] = ""
    metadata: Metadata = {}

    def to_request(self, agreement_id: Any) -> OrderRequest:
        plain = to_builtins(self, builtin_types=(datetime,))
        del plain["agreement"]
        return OrderRequest(agreement_id=agreement_id, **plain)


class Completion(Wire):
    """The service has ended. Send the total or its items; both are optional for a fixed order."""

    total: Amount | None = None
    items: Items | None = None
    discounts: Discounts = []
    ends_at: Time | None = None
    due_at: Time | None = None
    end_location: Place = ""

    def to_request(self) -> CompletionRequest:
        return CompletionRequest(**to_builtins(self, builtin_types=(datetime,)))


class Cancellation(Wire):
    """Why it is cancelled."""

    reason: Reason


class Modification(Wire):
    """Less than before."""

    total: Amount
    reason: Reason


class PaidElsewhere(Wire):
    """The person paid you outside the platform."""

    paid_at: Time
    reference: Annotated[str, Meta(min_length=1, max_length=64)]


class OrderQuery(Wire):
    """Which orders."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = 20
    cursor: str | None = None
    out_order_no: str | None = None
    agreement: str | None = None
    state: Literal["created", "open", "completed", "overdue", "deducted", "cancelled", "expired"] | None = None
    after: Annotated[Time | None, Meta(description="Created then or later.")] = None
    before: Annotated[Time | None, Meta(description="Created earlier.")] = None


class EventOut(MerchantEvent):
    """An event of an order, as `/v1/events` has it."""

    created_at: Moment


def order_event_out(event: Event) -> EventOut:
    return EventOut(**structs.asdict(event_out(event)), created_at=event.at)


class OrderEventQuery(Wire):
    """Which page of what happened."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX)] = LIMIT_MAX
    cursor: str | None = None


class EventList(Wire):
    """What happened to the order, oldest first."""

    data: list[EventOut]
    next_cursor: str | None
