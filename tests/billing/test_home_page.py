"""The home page: problems, debts, upcoming deductions, in a constant number of queries."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Person
from billing.models import Instrument
from billing.services.deduct import deduct_due
from credit.models import Agreement
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan

pytestmark = pytest.mark.django_db


def home(person: Person, language: str = "zh-CN") -> str:
    page = client_for(person, language).get("/home/")
    assert page.status_code == 200
    return visible_text(page)


def test_without_debts_it_says_so(power_bank: Shop, ada: Person) -> None:
    freeze_clock(NOON, ada)
    assert "没有待付款项" in home(ada)
    assert "Nothing due" in home(ada, "en")
    make_order(power_bank, make_agreement(power_bank, ada))
    assert "1 笔订单使用中 充电宝 最高 ¥99.00 来电充电宝 · 2026年11月20日 12:00" in home(ada)


def test_debts_and_the_next_deduction_are_shown(power_bank: Shop) -> None:
    poor = make_person(power_bank, "no_funds")
    freeze_clock(NOON, poor)
    make_due_order(power_bank, poor, yuan("12.34"), due_at=NOON + timedelta(days=2))
    said = home(poor)
    for part in ("¥12.34", "即将扣款", "应付日 2026年11月22日", "11月22日周日 12:00", "银行卡"):
        assert part in said
    assert "已逾期" not in said


def test_problems_come_first(power_bank: Shop, shop: Shop) -> None:
    poor = make_person(power_bank, "hard_decline")
    debt = make_due_order(power_bank, poor, yuan("8.00"), at=NOON - timedelta(days=5))
    deduct_due(power_bank.realm_id, at=NOON - timedelta(days=5))
    orders.mark_overdue(power_bank.realm_id, at=NOON, limit=10)
    freeze_clock(NOON, poor)
    assert Order.objects.get(pk=debt.pk).state == "overdue"
    assert Instrument.objects.get(person=poor).state == "dead"
    said = home(poor)
    for part in ("1 笔订单已逾期", "没有可用的扣款方式", "已被银行注销", "申请分期"):
        assert part in said


def test_open_requests_are_linked(shop: Shop) -> None:
    person = make_person(shop)
    wish = orders.OrderRequest(
        agreement_id=make_agreement(shop, person).id, out_order_no="W1", title="青瓷茶杯", currency="CNY", amount=4990
    )
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order
    freeze_clock(NOON, person)
    assert f"/confirm/{order.public_id}" in client_for(person).get("/home/").content.decode()
    assert "等待您确认" in home(person)


def test_the_number_of_queries_is_constant_and_only_own_data_is_shown(power_bank: Shop) -> None:
    poor, other = make_person(power_bank, "no_funds"), make_person(power_bank, "no_funds")
    make_due_order(power_bank, other, yuan("77.00"))
    make_due_order(power_bank, poor, yuan("1.00"))
    freeze_clock(NOON, poor)
    browser = client_for(poor)
    browser.get("/home/")

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert "¥77.00" not in visible_text(browser.get("/home/"))
        return len(seen)

    few = asked()
    agreement = Agreement.objects.get(person=poor)
    for _ in range(11):
        orders.complete_order(make_order(power_bank, agreement).id, orders.CompletionRequest(total=200), by=BY, at=NOON)
    assert asked() == few <= 20
    assert "还有 7 笔" in home(poor)
