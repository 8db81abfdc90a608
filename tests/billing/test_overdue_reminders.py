"""On which days a person hears of what is overdue: counted from when it fell, whatever happened before."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.remind import DAYS, remind_due
from billing.services.return_ends import deny_return, refuse_return
from orders import services as orders
from orders.models import Order
from orders.rules import Offer
from tests.billing.bench import deduction_of, paid
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.falling import fall

A_DAY = timedelta(days=1)
EVERY = [f"overdue_{day}" for day in DAYS]


def days_pass(shop: Shop, first: int, last: int) -> dict[int, str]:
    """Each day's sweeps; on which day which stage was told."""
    told: dict[int, str] = {}
    for day in range(first, last):
        at = NOON + day * A_DAY
        fall(shop.realm_id, at=at, limit=100)
        orders.close_days(shop.realm_id, at=at, limit=100)
        before = Notice.objects.filter(stage__startswith="overdue_").count()
        remind_due(shop.realm_id, at=at)
        new = list(Notice.objects.filter(stage__startswith="overdue_").order_by("id")[before:])
        told.update((day, notice.stage) for notice in new)
    return told


def denied(shop: Shop) -> Order:
    order = paid(shop)
    row = sent_back(order)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    return order


def test_a_debt_for_a_return_that_did_not_stand_ages_and_is_reminded_of_and_costs_no_fee(db: None) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)
    order = denied(shop)
    told = days_pass(shop, 0, 130)

    debt = order.obligations.get(kind="advance")
    assert (debt.overdue_days, debt.bucket, debt.fee_units) == (129, "90+", 0)
    assert not order.obligations.filter(kind="late_fee").exists()
    assert told == dict(zip([day - 1 for day in DAYS], EVERY, strict=True))


def test_its_clock_stands_still_and_goes_on_like_any_other(power_bank: Shop) -> None:
    order = denied(power_bank)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + A_DAY)
    days_pass(power_bank, 1, 5)
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + 5 * A_DAY)
    days_pass(power_bank, 5, 8)
    assert order.obligations.get(kind="advance").overdue_days == 2


@pytest.mark.parametrize("stood", [0, 40])
def test_days_before_it_fell_overdue_are_taken_off(power_bank: Shop, stood: int) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    if stood:
        orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
        orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + stood * A_DAY)
    told = days_pass(power_bank, stood, stood + 40)
    assert told == {stood + 3 + day - 1: f"overdue_{day}" for day in DAYS}


def test_what_bounced_long_after_it_was_due_is_reminded_of_from_then_on(power_bank: Shop) -> None:
    order = paid(power_bank)
    at = NOON + 20 * A_DAY
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=at)
    assert deliver_callbacks(power_bank.realm_id, at=at) == 1
    told = days_pass(power_bank, 20, 60)
    assert told == {20 + day - 1: f"overdue_{day}" for day in DAYS}


def test_a_part_of_a_plan_that_is_missed_later_is_counted_by_itself(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "no_funds"), yuan("9"))
    deduct_due(power_bank.realm_id, at=NOON)
    fall(power_bank.realm_id, at=NOON + 4 * A_DAY, limit=10)
    orders.ease(order.person_id, order.id, Offer(2, 14), expected=[yuan("9")], by=BY, at=NOON + 4 * A_DAY)
    told = days_pass(power_bank, 18, 24)
    assert told == {21: "overdue_1", 23: "overdue_3"}
