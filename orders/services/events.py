"""Webhook events about orders and obligations."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from merchants.services import NewEvent, publish
from orders.models import Obligation, Order


def order_event(order: Order, event: str, **extra: Any) -> NewEvent:
    """`order.opened`, `order.completed` …: the order's ids, state and amounts as of now."""
    data = {
        "id": order.public_id,
        "out_order_no": order.out_order_no,
        "state": order.state,
        "currency": order.currency,
        "ceiling": order.ceiling_minor,
        "total": order.total_minor,
        **extra,
    }
    return NewEvent(order.merchant_id, event, order.id, data)


def obligation_event(obligation: Obligation, event: str) -> NewEvent:
    """`obligation.paid`, `obligation.waived` …, listed among the events of the order."""
    data = {
        "id": obligation.public_id,
        "order": obligation.order.public_id,
        "amount": obligation.amount_minor,
        "paid": obligation.paid_minor,
        "currency": obligation.currency,
        "state": obligation.state,
    }
    return NewEvent(obligation.merchant_id, event, obligation.order_id, data)


def publish_events(events: Iterable[NewEvent], *, realm_id: int, at: datetime) -> None:
    publish(list(events), realm_id=realm_id, at=at)
