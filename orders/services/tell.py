"""What a merchant hears of its orders."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from merchants.services import News, publish
from orders.models import Obligation, Order


def news_of(order: Order, event: str, **more: Any) -> News:
    """`order.opened`, `order.completed` …: the order's names, state and amounts as of now."""
    data = {
        "id": order.public_id,
        "out_order_no": order.out_order_no,
        "state": order.state,
        "currency": order.currency,
        "ceiling": order.ceiling_minor,
        "total": order.total_minor,
        **more,
    }
    return News(order.merchant_id, event, order.id, data)


def news_of_obligation(obligation: Obligation, event: str) -> News:
    """`obligation.paid`, `obligation.waived` …, told among the events of its order."""
    data = {
        "id": obligation.public_id,
        "order": obligation.order.public_id,
        "amount": obligation.amount_minor,
        "paid": obligation.paid_minor,
        "state": obligation.state,
    }
    return News(obligation.merchant_id, event, obligation.order_id, data)


def tell(news: Iterable[News], *, realm_id: int, at: datetime) -> None:
    publish(list(news), realm_id=realm_id, at=at)
