"""The receipt of an order, on a page and as a PDF."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Deduction
from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.return_decisions import deny_return, refuse_return
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import issue_refund, paid_order
from tests.billing.return_helpers import opened_return
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
from tests.unchanged import assert_unchanged

LATE = NOON + timedelta(days=10)


def receipt_path(order: Order) -> str:
    return f"/orders/{order.public_id}/receipt"


def receipt_text(order: Order, language: str = "zh-CN") -> str:
    return visible_text(client_for(order.person, language).get(receipt_path(order)))


@pytest.fixture
def used(db: None) -> Order:
    """Two items less a discount, ¥13.34; the card is empty, the wallet holds ¥5.10."""
    shop = make_shop("来电充电宝", late_fee_daily_bps=100, late_fee_cap_bps=1000)
    person = make_person(shop, "no_funds")
    order = make_order(shop, make_agreement(shop, person), title="<b>充电宝</b>", out_order_no="X-1")
    items = [
        {"name": "时长", "amount": 1000, "count": 3, "description": "每小时 <i>"},
        {"name": "调度费", "amount": 500},
    ]
    final = orders.CompletionRequest(items=items, discounts=[{"name": "会员立减", "amount": 166}])
    orders.complete_order(order.id, final, by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("5.10"), "bank 1", at=NOON)
    freeze_clock(NOON, person)
    return order


def pay(order: Order, minor: int) -> Deduction:
    wallet = order.person.instruments.get(channel="wallet").id
    return pay_now(order.id, amount_minor=minor, instrument_id=wallet, by=BY, at=NOON)[0]


def test_a_receipt_adds_up_and_names_where_each_part_came_from(used: Order) -> None:
    made = [pay(used, 300), pay(used, 210)]
    orders.reduce_total(used.id, 1200, "goodwill", by=BY, at=NOON)
    page = receipt_text(used)
    for shown in (
        *("收据 <b>充电宝</b>", "商户 来电充电宝", "商户订单号 X-1", used.public_id, "截至 2026年11月20日 12:00"),
        *("时长 × 3 每小时 <i> ¥10.00", "调度费 ¥5.00", "会员立减 −¥1.66", "后续调低 −¥1.34", "合计 ¥12.00"),
        *("已扣款 ¥5.10", "待付金额 ¥6.90", f"2026年11月20日 12:00 · 钱包余额 {made[0].public_id}"),
        *(f"交易流水号： {made[1].channel_txn} ¥2.10", "如需发票，请联系商户开具"),
    ):
        assert shown in page, shown
    assert page.count("ded_") == 2  # what took nothing is no part of a receipt
    english = receipt_text(used, "en")
    for shown in ("Receipt", "Later reductions −CN¥1.34", "Amount due CN¥6.90", "Wallet balance", "fapiao"):
        assert shown in english, shown


@pytest.mark.usefixtures("all_attempted")
def test_receipt_shows_late_fee_and_refunds(used: Order) -> None:
    pay(used, 500)
    realm = used.realm_id
    orders.mark_overdue(realm, at=NOON + timedelta(days=4), limit=10)
    for days in range(4, 10):
        orders.close_days(realm, at=NOON + timedelta(days=days), limit=10)
    freeze_clock(LATE, used.person)
    assert re.search(r"合计 ¥13\.34 逾期费 ¥0\.\d\d 已扣款 ¥5\.00 待付金额 ¥8\.\d\d", receipt_text(used))


def test_a_refund_names_its_reason_and_the_banks_number(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    freeze_clock(NOON, order.person)
    issue_refund(order, "2", number="R1")
    page = receipt_text(order)
    number = order.refunds.get().parts.get().channel_txn
    for shown in (
        "已退款 线坏了 rfd_",
        f"已退回 ¥2.00，交易流水号：{number} ¥2.00",
        "已退款 ¥2.00 退款后实付 ¥4.00 待付金额 ¥0.00",
    ):
        assert shown in page, shown


def test_repaid_and_refunded_again_is_not_kept(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    freeze_clock(NOON, order.person)
    row = opened_return(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "空包裹", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert "Deducted CN¥12.00 Refunded CN¥6.00 Net paid after refunds CN¥6.00" in receipt_text(order, "en")
    issue_refund(order, "6")
    nothing_kept = "Deducted CN¥12.00 Refunded CN¥12.00 Net paid after refunds CN¥0.00 Amount due CN¥0.00"
    assert nothing_kept in receipt_text(order, "en")
    page = visible_text(client_for(order.person, "en").get(f"/orders/{order.public_id}"))
    assert "Paid CN¥12.00 Refunded −CN¥12.00" in page


def test_a_cancelled_order_has_a_receipt_that_nothing_was_collected(power_bank: Shop) -> None:
    person = make_person(power_bank)
    order = make_order(power_bank, make_agreement(power_bank, person))
    freeze_clock(NOON, person)
    orders.cancel_order(order.id, "设备故障", by=BY, at=NOON)
    assert "取消原因 设备故障" in receipt_text(order)
    assert "未扣任何款项，您无需付款" in receipt_text(order)
    assert receipt_path(order) in client_for(person).get(f"/orders/{order.public_id}").content.decode()


def test_no_receipt_without_payment_or_for_another_person(used: Order, power_bank: Shop) -> None:
    own, stranger = client_for(used.person), client_for(make_person(power_bank, name="陌生人"))
    assert receipt_path(used) not in own.get(f"/orders/{used.public_id}").content.decode()
    assert own.get(receipt_path(used)).status_code == own.get(f"{receipt_path(used)}.pdf").status_code == 404
    pay(used, 500)
    assert receipt_path(used) in own.get(f"/orders/{used.public_id}").content.decode()
    missing = stranger.get("/orders/ord_" + "0" * 32 + "/receipt").content
    for path in (receipt_path(used), f"{receipt_path(used)}.pdf"):
        theirs = stranger.get(path)
        assert (theirs.status_code, theirs.content) == (404, missing)
        assert Client().get(path)["Location"] == f"/account/login/?next={path}"
        assert own.post(path).status_code == 405


def test_receipt_pdf_has_a_name_and_changes_nothing(used: Order) -> None:
    pay(used, 500)
    browser = client_for(used.person)
    with assert_unchanged("django_session"):
        answer = browser.get(f"{receipt_path(used)}.pdf?size=phone")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="receipt-{used.public_id}.pdf"'
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert answer.content.startswith(b"%PDF-")
    assert b"/Lang (zh-hans)" in answer.content


def test_receipt_query_count_is_constant(used: Order) -> None:
    browser, counts = client_for(used.person), []
    for _ in range(2):
        for _more in range(2):
            pay(used, 100)
        with CaptureQueriesContext(connection) as asking:
            browser.get(receipt_path(used))
        counts.append(len(asking))
    assert counts[0] == counts[1]


def test_a_receipt_for_an_order_that_is_nothing_but_its_title(power_bank: Shop) -> None:
    person = make_person(power_bank)
    order = make_due_order(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    freeze_clock(NOON, person)
    assert "项目 金额 充电宝 ¥6.00" in receipt_text(order)
