"""Helpers for tests of returns."""

from datetime import timedelta
from typing import Any

from billing.models import Return
from billing.services.deduct import deduct_due
from billing.services.return_deadlines import process_due_returns
from billing.services.return_decisions import absorb_return, confirm_return, deny_return, refuse_return
from billing.services.returns import Parcel, open_return, withdraw_return
from merchants.models import Event
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

ONE_DAY = timedelta(days=1)
WHOLE_ORDER_PARCEL = Parcel(carrier="顺丰速运", tracking_number="SF1", reason="尺码不合适")


def opened_return(order: Order, amount: int | None = None, number: str = "SF1") -> Return:
    parcel = Parcel(carrier="顺丰速运", tracking_number=number, reason="尺码不合适", amount_minor=amount)
    row, _fresh = open_return(order.id, parcel, by=BY, at=NOON)
    return row


def return_events_of(order: Order) -> list[str]:
    rows = Event.objects.filter(subject_id=order.id, type__startswith="return.").order_by("sequence")
    return [row.removeprefix("return.") for row in rows.values_list("type", flat=True)]


def reloaded(row: Return) -> Return:
    return Return.objects.get(pk=row.pk)


def play_all_returns(shop: Shop) -> None:
    """Open returns of paid and of unpaid orders, and end them in every possible way."""
    ends: list[Any] = [confirm_return, deny_return, absorb_return, confirm_return, deny_return]
    for number, end in enumerate(ends):
        owed = number > 2
        order = make_due_order(shop, make_person(shop, "no_funds" if owed else "pays"), yuan("8"))
        deduct_due(shop.realm_id, at=NOON)
        parcel = Parcel(carrier="x", tracking_number="1", reason="x", amount_minor=500)
        row, _fresh = open_return(order.id, parcel, by=BY, at=NOON)
        if end is confirm_return:
            end(row.id, by=BY, at=NOON)
        else:
            refuse_return(row.id, "x", by=BY, at=NOON)
            end(row.id, "x", by=BY, at=NOON)
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("8"))
    row, _fresh = open_return(order.id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=NOON)
    withdraw_return(row.id, by=BY, at=NOON)
    paid_for = make_due_order(shop, make_person(shop), yuan("8"))
    deduct_due(shop.realm_id, at=NOON)
    open_return(paid_for.id, Parcel(carrier="x", tracking_number="1", reason="x"), by=BY, at=NOON)
    for days in (7, 10):
        process_due_returns(shop.realm_id, at=NOON + timedelta(days=days))
