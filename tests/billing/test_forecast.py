"""What an order's page says will happen if its person does nothing."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    yuan,
)


@pytest.fixture
def strict(db: None) -> Shop:
    return make_shop("严谨租赁", late_fee_daily_bps=5, late_fee_cap_bps=1000)


def forecast_text(order: Order, language: str = "zh-CN") -> str:
    return visible_text(client_for(order.person, language).get(f"/orders/{order.public_id}"))


def test_the_next_deduction_and_what_follows_if_it_fails(strict: Shop) -> None:
    person = make_person(strict, "no_funds")
    order = make_due_order(strict, person, yuan("12.34"))
    deduct_due(strict.realm_id, at=NOON)
    freeze_clock(NOON, person)
    assert (
        "如果您不操作 2026年11月21日 10:00 将自动扣款 ¥12.34 · 沙箱银行卡"
        " 如在 2026年11月23日 12:00 前仍未付清，订单将记为逾期。"
        " 此后每天按未付金额的 0.05% 收取逾期费，合计最高 ¥1.23。"
    ) in forecast_text(order)
    english = forecast_text(order, "en")
    assert "If you do nothing CN¥12.34 will be deducted on Nov 21, 2026" in english
    assert "up to CN¥1.23 in total" in english


def test_an_overdue_order_is_forecast_to_stay_overdue(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_due_order(power_bank, person, yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    late = NOON + timedelta(days=4)
    orders.mark_overdue(power_bank.realm_id, at=late, limit=10)
    freeze_clock(late, person)
    page = forecast_text(order)
    assert "订单将一直逾期，付清前不能下新订单" in page
    assert "订单将记为逾期" not in page


@pytest.mark.parametrize("how", ["open", "paused", "paid", "cancelled"])
def test_without_automatic_events_there_is_no_forecast(power_bank: Shop, ada: Person, how: str) -> None:
    agreement = make_agreement(power_bank, ada)
    order = make_order(power_bank, agreement)
    if how == "cancelled":
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    elif how != "open":
        orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    if how == "paused":
        orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
    if how == "paid":
        deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON, ada)
    assert "如果您不操作" not in forecast_text(order)


def test_an_unplanned_debt_is_forecast_to_stay_owed(power_bank: Shop, ada: Person) -> None:
    order = make_due_order(power_bank, ada, yuan("6"))
    order.obligations.update(plan=[], collect_at=None)
    freeze_clock(NOON, ada)
    assert "如果您不操作 没有后续的自动扣款，请在此付款。" in forecast_text(order)
