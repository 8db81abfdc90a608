"""The announced amount of a deduction is what is deducted, with the late fees that accrue until then."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.services.deduct import deduct_due
from billing.services.reminders import remind_all
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import latest_deduction_of
from tests.billing.test_home_page import home
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def hours_pass(shop: Shop, first: int, last: int) -> None:
    """Run all sweeps once an hour from noon on."""
    for hour in range(first, last):
        at = NOON + hour * HOUR
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=9)
        remind_all(shop.realm_id, at=at)
        deduct_due(shop.realm_id, at=at)


def announced_amount(order: Order) -> str:
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").latest("id")
    return told.body.partition("¥")[2].partition(" ")[0]


@pytest.mark.parametrize("cap_bps", [1000, 60])
def test_an_overdue_retry_deducts_the_announced_amount(db: None, cap_bps: int) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=cap_bps)
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("100"))
    hours_pass(shop, 0, 6 * 24 + 23)
    taken = latest_deduction_of(order).amount_minor  # on the seventh day at ten
    assert taken == 10_000 + min(200, cap_bps)
    assert announced_amount(order) == f"{taken / 100:.2f}"


def test_pages_show_the_amount_deducted_at_that_time(fees: Shop) -> None:
    order = make_due_order(fees, make_person(fees, "no_funds"), yuan("100"))
    hours_pass(fees, 0, 5 * 24)
    freeze_clock(NOON + 5 * 24 * HOUR, order.person)
    page = visible_text(client_for(order.person, "en").get(f"/orders/{order.public_id}"))
    assert "CN¥102.00 will be deducted on Nov 27, 2026 10:00 AM" in page
    assert "即将扣款 11月27日周五 10:00 ¥102.00" in home(order.person)
    hours_pass(fees, 5 * 24, 6 * 24 + 23)
    assert latest_deduction_of(order).amount_minor == 10_200


def test_a_paused_order_accrues_no_fees(fees: Shop) -> None:
    order = make_due_order(fees, make_person(fees, "no_funds"), yuan("100"))
    hours_pass(fees, 0, 5 * 24)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + 5 * 24 * HOUR)
    freeze_clock(NOON + 5 * 24 * HOUR, order.person)
    assert "即将扣款" not in home(order.person)
