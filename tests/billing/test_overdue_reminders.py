"""The overdue days on which a person is reminded, counted from the day it became overdue."""

from datetime import timedelta

import pytest

from accounts.models import Notice
from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.reminders import OVERDUE_DAYS, remind_all
from billing.services.return_decisions import deny_return, refuse_return
from orders import services as orders
from orders.models import Order
from orders.rules import PlanOffer
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.return_helpers import opened_return
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.overdue import make_overdue

A_DAY = timedelta(days=1)
EVERY = [f"overdue_{day}" for day in OVERDUE_DAYS]


def days_pass(shop: Shop, first: int, last: int) -> dict[int, str]:
    """Run each day's sweeps. Returns the stage that was sent on each day."""
    told: dict[int, str] = {}
    for day in range(first, last):
        at = NOON + day * A_DAY
        make_overdue(shop.realm_id, at=at, limit=100)
        orders.close_days(shop.realm_id, at=at, limit=100)
        before = Notice.objects.filter(stage__startswith="overdue_").count()
        remind_all(shop.realm_id, at=at)
        new = list(Notice.objects.filter(stage__startswith="overdue_").order_by("id")[before:])
        told.update((day, notice.stage) for notice in new)
    return told


def denied(shop: Shop) -> Order:
    order = paid_order(shop)
    row = opened_return(order)
    refuse_return(row.id, "空盒", by=BY, at=NOON)
    deny_return(row.id, "空盒", by=BY, at=NOON)
    return order


def test_a_debt_of_a_denied_return_ages_with_reminders_and_no_fee(db: None) -> None:
    shop = make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)
    order = denied(shop)
    told = days_pass(shop, 0, 130)

    debt = order.obligations.get(kind="advance")
    assert (debt.overdue_days, debt.bucket, debt.fee_units) == (129, "90+", 0)
    assert not order.obligations.filter(kind="late_fee").exists()
    assert told == dict(zip([day - 1 for day in OVERDUE_DAYS], EVERY, strict=True))


def test_a_debt_of_a_denied_return_can_be_paused_and_resumed(power_bank: Shop) -> None:
    order = denied(power_bank)
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON + A_DAY)
    days_pass(power_bank, 1, 5)
    orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + 5 * A_DAY)
    days_pass(power_bank, 5, 8)
    assert order.obligations.get(kind="advance").overdue_days == 2


@pytest.mark.parametrize("stood", [0, 40])
def test_days_before_it_became_overdue_do_not_count(power_bank: Shop, stood: int) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    if stood:
        orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
        orders.resume_order(order.id, "problem_reported", by=BY, at=NOON + stood * A_DAY)
    told = days_pass(power_bank, stood, stood + 40)
    assert told == {stood + 3 + day - 1: f"overdue_{day}" for day in OVERDUE_DAYS}


def test_a_debit_returned_late_is_reminded_of_from_then_on(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    at = NOON + 20 * A_DAY
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=at)
    assert deliver_callbacks(power_bank.realm_id, at=at) == 1
    told = days_pass(power_bank, 20, 60)
    assert told == {20 + day - 1: f"overdue_{day}" for day in OVERDUE_DAYS}


def test_a_plan_part_missed_later_has_its_own_overdue_days(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "no_funds"), yuan("9"))
    deduct_due(power_bank.realm_id, at=NOON)
    make_overdue(power_bank.realm_id, at=NOON + 4 * A_DAY, limit=10)
    orders.choose_plan(order.person_id, order.id, PlanOffer(2, 14), expected=[yuan("9")], by=BY, at=NOON + 4 * A_DAY)
    told = days_pass(power_bank, 18, 24)
    assert told == {21: "overdue_1", 23: "overdue_3"}
