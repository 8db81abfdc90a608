"""The first page says what is wrong, what is owed and what comes next, in a handful of questions."""

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
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.visiting import it_is, visiting, words

pytestmark = pytest.mark.django_db


def home(person: Person, language: str = "zh-CN") -> str:
    page = visiting(person, language).get("/home/")
    assert page.status_code == 200
    return words(page)


def test_nothing_owed_is_said_kindly(power_bank: Shop, ada: Person) -> None:
    it_is(NOON, ada)
    assert "没有待付款项" in home(ada)
    assert "Nothing due" in home(ada, "en")
    ordered(power_bank, opened(power_bank, ada))
    assert "正在使用 1 项服务 充电宝 最高 ¥99.00 来电充电宝 · 2026年11月20日 12:00" in home(ada)


def test_what_is_owed_when_and_what_is_taken_next(power_bank: Shop) -> None:
    poor = someone(power_bank, "no_funds")
    it_is(NOON, poor)
    completed(power_bank, poor, yuan("12.34"), due_at=NOON + timedelta(days=2))
    said = home(poor)
    for part in ("¥12.34", "即将扣款", "应付日 2026年11月22日", "11月22日周日 12:00", "银行卡"):
        assert part in said
    assert "已逾期" not in said


def test_what_is_wrong_comes_first(power_bank: Shop, shop: Shop) -> None:
    poor = someone(power_bank, "hard_decline")
    debt = completed(power_bank, poor, yuan("8.00"), at=NOON - timedelta(days=5))
    deduct_due(power_bank.realm_id, at=NOON - timedelta(days=5))
    orders.mark_overdue(power_bank.realm_id, at=NOON, limit=10)
    it_is(NOON, poor)
    assert Order.objects.get(pk=debt.pk).state == "overdue"
    assert Instrument.objects.get(person=poor).state == "dead"
    said = home(poor)
    for part in ("1 笔订单已逾期", "没有可用的扣款方式", "已被银行注销", "申请分期"):
        assert part in said


def test_what_waits_for_an_answer_is_one_click_away(shop: Shop) -> None:
    person = someone(shop)
    wish = orders.Wish(
        agreement_id=opened(shop, person).id, out_order_no="W1", title="青瓷茶杯", currency="CNY", amount=4990
    )
    order = orders.open_order(shop.merchant.id, wish, by=BY, at=NOON).order
    assert order
    it_is(NOON, person)
    assert f"/confirm/{order.public_id}" in visiting(person).get("/home/").content.decode()
    assert "等待您确认" in home(person)


def test_it_costs_the_same_however_much_there_is_and_shows_nobody_elses(power_bank: Shop) -> None:
    poor, other = someone(power_bank, "no_funds"), someone(power_bank, "no_funds")
    completed(power_bank, other, yuan("77.00"))
    completed(power_bank, poor, yuan("1.00"))
    it_is(NOON, poor)
    browser = visiting(poor)
    browser.get("/home/")

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert "¥77.00" not in words(browser.get("/home/"))
        return len(seen)

    few = asked()
    agreement = Agreement.objects.get(person=poor)
    for _ in range(11):
        orders.complete_order(ordered(power_bank, agreement).id, orders.Final(total=200), by=BY, at=NOON)
    assert asked() == few <= 20
    assert "还有 7 笔" in home(poor)
