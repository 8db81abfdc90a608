"""What is said to be taken at a time is what is taken then, with the late fees of the days until then."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.services.deduct import deduct_due
from billing.services.remind import remind_due
from orders import services as orders
from orders.models import Order
from tests.billing.bench import deduction_of
from tests.billing.test_home_page import home
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.visiting import it_is, visiting, words

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def hours_pass(shop: Shop, first: int, last: int) -> None:
    """Every clock, once an hour after noon."""
    for hour in range(first, last):
        at = NOON + hour * HOUR
        orders.mark_overdue(shop.realm_id, at=at, limit=9)
        orders.close_days(shop.realm_id, at=at, limit=9)
        remind_due(shop.realm_id, at=at)
        deduct_due(shop.realm_id, at=at)


def announced(order: Order) -> str:
    told = Notice.objects.filter(person_id=order.person_id, stage="debit_planned").latest("id")
    return told.body.partition("¥")[2].partition(" ")[0]


@pytest.mark.parametrize("cap_bps", [1000, 60])
def test_a_retry_of_what_is_overdue_takes_what_was_announced_a_day_before(db: None, cap_bps: int) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=cap_bps)
    order = completed(shop, someone(shop, "no_funds"), yuan("100"))
    hours_pass(shop, 0, 6 * 24 + 23)
    taken = deduction_of(order).amount_minor  # on the seventh day at ten
    assert taken == 10_000 + min(200, cap_bps)
    assert announced(order) == f"{taken / 100:.2f}"


def test_pages_say_what_is_taken_by_then(fees: Shop) -> None:
    order = completed(fees, someone(fees, "no_funds"), yuan("100"))
    hours_pass(fees, 0, 5 * 24)
    it_is(NOON + 5 * 24 * HOUR, order.person)
    page = words(visiting(order.person, "en").get(f"/orders/{order.public_id}"))
    assert "CN¥102.00 will be deducted on Nov 27, 2026 10:00 AM" in page
    assert "即将扣款 11月27日周五 10:00 ¥102.00" in home(order.person)
    hours_pass(fees, 5 * 24, 6 * 24 + 23)
    assert deduction_of(order).amount_minor == 10_200


def test_what_stands_still_costs_nothing_more(fees: Shop) -> None:
    order = completed(fees, someone(fees, "no_funds"), yuan("100"))
    hours_pass(fees, 0, 5 * 24)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + 5 * 24 * HOUR)
    it_is(NOON + 5 * 24 * HOUR, order.person)
    assert "即将扣款" not in home(order.person)
