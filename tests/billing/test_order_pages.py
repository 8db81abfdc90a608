"""The order page, and paying an order."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from billing.models import Deduction, WalletEntry
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.outcome_polling import poll_deductions
from kernel.forms import claim_token
from kernel.models import LIVE
from orders import services as orders
from orders.models import Order
from tests.browsing import client_for, form_token, freeze_clock, visible_text
from tests.conftest import (
    BY,
    NOON,
    Shop,
    make_agreement,
    make_due_order,
    make_order,
    make_person,
    make_shop,
    reload_order,
    state_of,
    yuan,
)
from tests.unchanged import assert_unchanged


def page_of(order: Order) -> str:
    return f"/orders/{order.public_id}"


def pay(browser: Client, order: Order, amount: str, *, token: str = "", instrument: str = "") -> str:
    """Fill in the form of the order's page and send it; where the answer leads."""
    instrument = instrument or order.person.instruments.order_by("priority")[0].public_id
    fields = {"amount": amount, "instrument": instrument}
    fields["token"] = token or form_token(browser.get(page_of(order)))
    answer = browser.post(f"{page_of(order)}/pay", fields)
    return answer["Location"] if answer.status_code == 302 else f"{answer.status_code} {visible_text(answer)}"


def owing(shop: Shop, behaviour: str = "pays", amount: str = "12.34") -> tuple[Order, Client]:
    person = make_person(shop, behaviour)
    order = make_due_order(shop, person, yuan(amount))
    freeze_clock(NOON, person)
    return order, client_for(person)


def taken_from(order: Order) -> list[int]:
    return [money.minor for money in bank.debits_of(order.person.instruments.get(channel="sandbox").token)]


def test_an_order_shows_usage_costs_and_the_next_deduction(power_bank: Shop) -> None:
    person = make_person(power_bank, "no_funds")
    order = make_order(power_bank, make_agreement(power_bank, person), start_location="人民广场站")
    freeze_clock(NOON, person)
    browser = client_for(person)
    open_page = visible_text(browser.get(page_of(order)))
    for shown in ("进行中", "最高金额 ¥99.00", "开始地点 人民广场站", "订单已创建", "对订单有疑问？ 来电充电宝"):
        assert shown in open_page, shown
    assert "立即支付" not in open_page

    items = [{"name": "3 小时", "amount": 1400}]
    final = orders.CompletionRequest(items=items, discounts=[{"name": "会员", "amount": 166}])
    orders.complete_order(order.id, final, by=BY, at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    page = visible_text(browser.get(page_of(order)))
    for shown in (
        *("待付款", "3 小时 ¥14.00", "会员 −¥1.66", "合计 ¥12.34", "约定最高金额 ¥99.00", "已支付 ¥0.00"),
        *(
            "接下来 2026年11月21日 10:00",
            "之后还计划扣款 9 次",
            "余额不足",
            "2026年11月20日 12:00 · 自动扣款 · 沙箱银行卡",
        ),
        "服务结束，最终金额 ¥12.34",
    ):
        assert shown in page, shown
    english = visible_text(client_for(person, "en").get(page_of(order)))
    for shown in ("To pay", "Total CN¥12.34", "Insufficient funds.", "and 9 more attempts after that"):
        assert shown in english, shown


def test_the_number_of_queries_does_not_grow_with_attempts(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    deduct_due(power_bank.realm_id, at=NOON)
    browser.get(page_of(order))
    with CaptureQueriesContext(connection) as few:
        browser.get(page_of(order))
    for day in (1, 3, 5, 7, 10):
        deduct_due(power_bank.realm_id, at=NOON + timedelta(days=day))
    with CaptureQueriesContext(connection) as many:
        page = browser.get(page_of(order))
    assert len(page.context["attempts"]) == 6
    assert len(many) == len(few) <= 15


def test_an_order_of_nothing_is_neither_kept_nor_paid(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("0"))
    browser = client_for(order.person)
    page = visible_text(browser.get(page_of(order)))
    assert page.count("无需付款") == 2  # the badge, and the history
    for wrong in ("已守约", "已付清"):
        assert wrong not in page
    shelf = visible_text(browser.get("/orders/?shelf=kept"))
    assert "已完成" in shelf
    assert "无需付款" in shelf
    assert "已守约" not in shelf


def test_an_order_is_paid_in_full(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    assert state_of(order) == "deducted"
    assert "已支付 ¥12.34" in visible_text(browser.get(f"{page_of(order)}/paid"))
    page = visible_text(browser.get(page_of(order)))
    assert "已守约" in page
    assert "主动付款 · 沙箱银行卡" in page
    assert taken_from(order) == [1234]


def test_a_double_click_pays_a_part_once(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    token = form_token(browser.get(page_of(order)))
    result = pay(browser, order, "5", token=token)
    assert result.startswith(f"{page_of(order)}/paid?of=ded_")
    assert pay(browser, order, "5", token=token) == result
    assert taken_from(order) == [500]
    assert pay(browser, order, "5").startswith(f"{page_of(order)}/paid?of=ded_")  # meant so: it is another form
    assert taken_from(order) == [500, 500]
    latest = visible_text(browser.get(f"{page_of(order)}/paid"))
    assert "还需支付 ¥2.34" in latest
    assert latest.count("¥5.00") == 1


def test_a_second_click_during_the_first_shows_the_current_state(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    token = form_token(browser.get(page_of(order)))
    assert claim_token(order.person_id, token, "pay")
    with assert_unchanged():
        assert pay(browser, order, "5", token=token) == page_of(order)
    assert "您已提交过" in visible_text(browser.get(page_of(order)))
    assert taken_from(order) == []


def test_a_failed_payment_shows_its_reason_and_keeps_the_plan(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    plan = order.obligations.get().plan
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    page = visible_text(browser.get(f"{page_of(order)}/paid"))
    assert "未扣款 ¥12.34" in page
    assert "余额不足" in page
    assert order.obligations.get().plan == plan
    assert state_of(order) == "completed"


def test_an_unknown_outcome_is_shown_until_the_bank_answers(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "timeout_then_paid")
    assert pay(browser, order, "12.34").startswith(f"{page_of(order)}/paid?of=ded_")
    assert "确认中 ¥12.34" in visible_text(browser.get(f"{page_of(order)}/paid"))
    shown = visible_text(browser.get(page_of(order)))
    assert "结果出来之前不会再次扣款" in shown
    assert "立即支付" not in shown
    again = browser.post(f"{page_of(order)}/pay", {"amount": "1", "instrument": "ins_" + "0" * 32, "token": "0" * 24})
    assert again.status_code == 409
    assert "有一笔扣款正在进行" in visible_text(again)
    poll_deductions(power_bank.realm_id, at=NOON + timedelta(seconds=5))
    assert "已支付 ¥12.34" in visible_text(browser.get(f"{page_of(order)}/paid"))
    assert taken_from(order) == [1234]


@pytest.mark.parametrize("amount", ["0", "12.35", "-1", "1e2", "١٢", "12.345", "", "1,000", "9" * 30, "\0"])
def test_an_invalid_amount_is_refused(power_bank: Shop, amount: str) -> None:
    order, browser = owing(power_bank)
    assert pay(browser, order, amount).startswith("422")
    assert not Deduction.objects.exists()


@pytest.mark.parametrize(
    ("amount", "told"),
    [("12.345", "请输入金额，例如 12.50。"), ("十二", "请输入金额，例如 12.50。"), ("13", "不超过待付金额")],
)
def test_a_refused_amount_says_what_to_enter(power_bank: Shop, amount: str, told: str) -> None:
    order, browser = owing(power_bank)
    page = browser.get(page_of(order))
    form = {"amount": amount, "token": form_token(page), "instrument": order.person.instruments.get().public_id}
    assert told in visible_text(browser.post(f"{page_of(order)}/pay", form))


@pytest.mark.parametrize("amount", ["１２.３４", "¥12.34", "12.34 元"])
def test_an_amount_is_read_as_people_type_it(power_bank: Shop, amount: str) -> None:
    order, browser = owing(power_bank)
    assert pay(browser, order, amount).startswith(f"{page_of(order)}/paid")
    assert taken_from(order) == [1234]


def test_a_form_with_an_invalid_token_is_refused(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    stranger = make_person(power_bank, name="陌生人")
    theirs = stranger.instruments.get().public_id
    assert pay(browser, order, "12.34", instrument=theirs).startswith("409")
    assert pay(browser, order, "12.34", instrument="ins_x").startswith("409")
    assert pay(browser, order, "12.34", token="x").startswith("422")
    assert client_for(stranger).post(f"{page_of(order)}/pay", {"amount": "1"}).status_code == 404
    assert client_for(stranger).get(f"{page_of(order)}/paid").status_code == 404
    assert browser.get(f"{page_of(order)}/paid")["Location"] == page_of(order)
    assert browser.get(f"{page_of(order)}/pay")["Location"] == page_of(order)
    assert not Deduction.objects.exists()


def test_a_paid_order_cannot_be_paid_again(power_bank: Shop) -> None:
    order, browser = owing(power_bank)
    stale = form_token(browser.get(page_of(order)))
    deduct_due(power_bank.realm_id, at=NOON)
    assert pay(browser, order, "12.34", token=stale).startswith("409")
    assert taken_from(order) == [1234]


def test_a_wallet_is_topped_up_once_per_form_and_pays_an_order(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    person = order.person
    assert "您还没有钱包" in visible_text(browser.get("/wallet/"))
    assert not hasattr(Person.objects.get(pk=person.pk), "wallet")
    assert browser.post("/instruments/wallet", {"next": "/wallet/"})["Location"] == "/wallet/"
    empty = browser.get("/wallet/")
    assert "余额 ¥0.00 待付金额 ¥12.34 · 立即支付" in visible_text(empty)
    form = {"amount": "20", "token": form_token(empty)}
    for _click in range(2):
        assert browser.post("/wallet/top-up", form)["Location"] == "/wallet/"
    page = visible_text(browser.get("/wallet/"))
    assert "¥20.00 已充入钱包" in page
    assert "余额 ¥20.00" in page
    assert WalletEntry.objects.count() == 1

    wallet = person.instruments.get(channel="wallet").public_id
    assert pay(browser, order, "12.34", instrument=wallet).startswith(f"{page_of(order)}/paid?of=ded_")
    assert reload_order(order.id).state == "deducted"
    page = visible_text(browser.get("/wallet/"))
    assert "余额 ¥7.66 全部扣款方式" in page
    assert "充电宝 · 来电充电宝 −¥12.34" in page


def test_the_sandbox_bank_is_unavailable_to_real_people_in_production(settings: Settings, db: None) -> None:
    person = accounts.register_person("+8613812341234", realm_id=LIVE, by=BY, at=NOON)
    open_wallet(person, at=NOON)
    browser = client_for(person)
    assert "从沙箱银行充值" in visible_text(browser.get("/wallet/"))
    settings.LOCAL_MESSAGES = False
    assert "从沙箱银行充值" not in visible_text(browser.get("/wallet/"))
    for way in ("top-up", "take-out"):
        assert browser.post(f"/wallet/{way}", {"amount": "5", "token": "0" * 24}).status_code == 404
    assert not WalletEntry.objects.exists()


@pytest.mark.usefixtures("all_attempted")
def test_a_late_fee_is_shown_separately(db: None) -> None:
    strict = make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100)
    person = make_person(strict, "no_funds")
    order = make_due_order(strict, person, yuan("98.00"))
    deduct_due(strict.realm_id, at=NOON)
    orders.mark_overdue(strict.realm_id, at=NOON, limit=10)
    week = NOON + timedelta(days=7)
    orders.close_days(strict.realm_id, at=week, limit=10)
    freeze_clock(week, person)
    page = visible_text(client_for(person).get(page_of(order)))
    for shown in ("已逾期", "待付金额 ¥98.34", "合计 ¥98.00", "逾期费 ¥0.34"):
        assert shown in page, shown


def test_more_than_the_wallet_balance_is_refused_beside_the_field(power_bank: Shop) -> None:
    order, browser = owing(power_bank, "no_funds")
    open_wallet(order.person, at=NOON)
    browser.post("/wallet/top-up", {"amount": "5", "token": form_token(browser.get("/wallet/"))})
    wallet = order.person.instruments.get(channel="wallet").public_id
    form = {"amount": "12.34", "instrument": wallet, "token": form_token(browser.get(page_of(order)))}
    answer = browser.post(f"{page_of(order)}/pay", form)
    assert answer.status_code == 422
    assert "钱包余额不足。 当前余额 ¥5.00" in visible_text(answer)
    page = browser.get("/pay-all/")
    answer = browser.post("/pay-all/", {"instrument": wallet, "sum": "1234 CNY", "token": form_token(page)})
    assert "钱包余额不足。 当前余额 ¥5.00" in visible_text(answer)
    assert not Deduction.objects.exists()
