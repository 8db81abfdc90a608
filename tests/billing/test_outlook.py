"""What an order's page says will happen if its person does nothing."""

from datetime import timedelta

import pytest

from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services as orders
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, make_shop, opened, ordered, someone, yuan
from tests.visiting import it_is, visiting, words


@pytest.fixture
def strict(db: None) -> Shop:
    return make_shop("严谨租赁", late_fee_daily_bps=5, late_fee_cap_bps=1000)


def said(order: Order, language: str = "zh-CN") -> str:
    return words(visiting(order.person, language).get(f"/orders/{order.public_id}"))


def test_the_next_deduction_and_what_follows_if_it_fails(strict: Shop) -> None:
    person = someone(strict, "no_funds")
    order = completed(strict, person, yuan("12.34"))
    deduct_due(strict.realm_id, at=NOON)
    it_is(NOON, person)
    assert (
        "如果您不操作 2026年11月21日 10:00 将自动扣款 ¥12.34 · 沙箱银行卡"
        " 如在 2026年11月23日 12:00 前仍未付清，订单将记为逾期。"
        " 此后每天按未付金额的 0.05% 收取逾期费，合计最高 ¥1.23。"
    ) in said(order)
    english = said(order, "en")
    assert "If you do nothing CN¥12.34 will be deducted on Nov 21, 2026" in english
    assert "up to CN¥1.23 in total" in english


def test_an_overdue_order_says_that_it_stays_so(power_bank: Shop) -> None:
    person = someone(power_bank, "no_funds")
    order = completed(power_bank, person, yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    late = NOON + timedelta(days=4)
    orders.mark_overdue(power_bank.realm_id, at=late, limit=10)
    it_is(late, person)
    page = said(order)
    assert "订单将一直逾期，付清前不能下新订单" in page
    assert "订单将记为逾期" not in page


@pytest.mark.parametrize("how", ["open", "paused", "paid", "cancelled"])
def test_where_nothing_happens_by_itself_nothing_is_said(power_bank: Shop, ada: Person, how: str) -> None:
    agreement = opened(power_bank, ada)
    order = ordered(power_bank, agreement)
    if how == "cancelled":
        orders.cancel_order(order.id, "x", by=BY, at=NOON)
    elif how != "open":
        orders.complete_order(order.id, orders.Final(total=600), by=BY, at=NOON)
    if how == "paused":
        orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
    if how == "paid":
        deduct_due(power_bank.realm_id, at=NOON)
    it_is(NOON, ada)
    assert "如果您不操作" not in said(order)


def test_a_debt_that_nothing_is_planned_for_stays_owed(power_bank: Shop, ada: Person) -> None:
    order = completed(power_bank, ada, yuan("6"))
    order.obligations.update(plan=[], collect_at=None)
    it_is(NOON, ada)
    assert "如果您不操作 没有后续的自动扣款，请在此付款。" in said(order)
