"""A deduction for an order's principal and its late fee is one attempt and one event to the merchant."""

from collections import Counter
from datetime import timedelta

import pytest

from billing.models import Deduction
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from orders.wire import order_out
from tests.billing.helpers import run_due_deductions
from tests.conftest import NOON, Shop, make_due_order, make_person, make_shop, yuan

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    """Overdue with a late fee, and paid in full once the person has money after nine days."""
    shop: Shop = make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=50, late_fee_cap_bps=1000)
    until = (NOON + timedelta(days=9)).isoformat()
    order = make_due_order(shop, make_person(shop, "no_funds_until", until=until), yuan("80"))
    for hours in range(0, 24 * 20, 6):
        at = NOON + timedelta(hours=hours)
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=99)
        run_due_deductions(shop, at=at)
    return Order.objects.get(pk=order.pk)


def test_principal_and_late_fee_are_one_attempt_and_one_event(order: Order) -> None:
    fee = order.obligations.get(kind="late_fee")
    deductions = Deduction.objects.filter(person_id=order.person_id).order_by("id")
    events = Event.objects.filter(subject_id=order.id, type__startswith="deduction.").order_by("sequence")

    assert (order.state, fee.attempts > 1) == ("deducted", True)
    assert [event.data["id"] for event in events] == [row.public_id for row in deductions]
    assert [event.data["amount"] for event in events] == [row.amount_minor for row in deductions]
    assert [event.data["attempt"] for event in events] == list(range(1, len(deductions) + 1))
    assert Counter(event.type for event in events) == {
        "deduction.failed": len(deductions) - 1,
        "deduction.succeeded": 1,
    }
    assert events.last().data["amount"] == 8000 + fee.amount_minor
    assert order_out(order, order.obligations.all()).collection.attempts == len(deductions)
