"""The receipt of an order, to read, to print and to keep."""

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
from billing.services.return_ends import deny_return, refuse_return
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Order
from tests.billing.bench import give_back, paid
from tests.billing.returning import sent_back
from tests.conftest import BY, NOON, Shop, completed, make_shop, opened, ordered, someone, yuan
from tests.stillness import nothing_moves
from tests.visiting import it_is, visiting, words

LATE = NOON + timedelta(days=10)


def receipt_at(order: Order) -> str:
    return f"/orders/{order.public_id}/receipt"


def said(order: Order, language: str = "zh-CN") -> str:
    return words(visiting(order.person, language).get(receipt_at(order)))


@pytest.fixture
def used(db: None) -> Order:
    """Two items less a discount, ¥13.34; the card is empty, the wallet holds ¥5.10."""
    shop = make_shop("来电充电宝", late_fee_daily_bps=100, late_fee_cap_bps=1000)
    person = someone(shop, "no_funds")
    order = ordered(shop, opened(shop, person), title="<b>充电宝</b>", out_order_no="X-1")
    items = [
        {"name": "时长", "amount": 1000, "count": 3, "description": "每小时 <i>"},
        {"name": "调度费", "amount": 500},
    ]
    final = orders.Final(items=items, discounts=[{"name": "会员立减", "amount": 166}])
    orders.complete_order(order.id, final, by=BY, at=NOON)
    deduct_due(shop.realm_id, at=NOON)
    open_wallet(person, at=NOON)
    top_up(person.id, yuan("5.10"), "bank 1", at=NOON)
    it_is(NOON, person)
    return order


def pay(order: Order, minor: int) -> Deduction:
    wallet = order.person.instruments.get(channel="wallet").id
    return pay_now(order.id, amount_minor=minor, instrument_id=wallet, by=BY, at=NOON)[0]


def test_a_receipt_adds_up_and_names_where_each_part_came_from(used: Order) -> None:
    made = [pay(used, 300), pay(used, 210)]
    orders.lower_total(used.id, 1200, "goodwill", by=BY, at=NOON)
    page = said(used)
    for shown in (
        *("收据 <b>充电宝</b>", "商户 来电充电宝", "商户订单号 X-1", used.public_id, "截至 2026年11月20日 12:00"),
        *("时长 × 3 每小时 <i> ¥10.00", "调度费 ¥5.00", "会员立减 −¥1.66", "后续调低 −¥1.34", "合计 ¥12.00"),
        *("已扣款 ¥5.10", "待付金额 ¥6.90", f"2026年11月20日 12:00 · 钱包余额 {made[0].public_id}"),
        *(f"交易流水号： {made[1].channel_txn} ¥2.10", "如需发票，请联系商户开具"),
    ):
        assert shown in page, shown
    assert page.count("ded_") == 2  # what took nothing is no part of a receipt
    english = said(used, "en")
    for shown in ("Receipt", "Later reductions −CN¥1.34", "Amount due CN¥6.90", "Wallet balance", "fapiao"):
        assert shown in english, shown


@pytest.mark.usefixtures("all_asked")
def test_a_late_fee_and_what_went_back_stand_on_it(used: Order) -> None:
    pay(used, 500)
    realm = used.realm_id
    orders.mark_overdue(realm, at=NOON + timedelta(days=4), limit=10)
    for days in range(4, 10):
        orders.close_days(realm, at=NOON + timedelta(days=days), limit=10)
    it_is(LATE, used.person)
    assert re.search(r"合计 ¥13\.34 逾期费 ¥0\.\d\d 已扣款 ¥5\.00 待付金额 ¥8\.\d\d", said(used))


def test_a_refund_names_its_reason_and_the_banks_number(power_bank: Shop) -> None:
    order = paid(power_bank)
    it_is(NOON, order.person)
    give_back(order, "2", number="R1")
    page = said(order)
    number = order.refunds.get().parts.get().channel_txn
    for shown in (
        "已退款 线坏了 rfd_",
        f"已退回 ¥2.00，交易流水号：{number} ¥2.00",
        "已退款 ¥2.00 退款后实付 ¥4.00 待付金额 ¥0.00",
    ):
        assert shown in page, shown


def test_what_was_paid_once_more_and_went_back_too_is_not_kept(power_bank: Shop) -> None:
    order = paid(power_bank)
    it_is(NOON, order.person)
    row = sent_back(order)
    refuse_return(row.id, "空包裹", by=BY, at=NOON)
    deny_return(row.id, "空包裹", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert "Deducted CN¥12.00 Refunded CN¥6.00 Net paid after refunds CN¥6.00" in said(order, "en")
    give_back(order, "6")
    assert "Deducted CN¥12.00 Refunded CN¥12.00 Amount due CN¥0.00" in said(order, "en")
    page = words(visiting(order.person, "en").get(f"/orders/{order.public_id}"))
    assert "Paid CN¥12.00 Refunded −CN¥12.00" in page


def test_a_cancelled_order_has_a_receipt_that_nothing_was_collected(power_bank: Shop) -> None:
    person = someone(power_bank)
    order = ordered(power_bank, opened(power_bank, person))
    it_is(NOON, person)
    orders.cancel_order(order.id, "设备故障", by=BY, at=NOON)
    assert "取消原因 设备故障" in said(order)
    assert "未扣任何款项，您无需付款" in said(order)
    assert receipt_at(order) in visiting(person).get(f"/orders/{order.public_id}").content.decode()


def test_nothing_collected_is_no_receipt_and_another_persons_looks_like_one_that_never_was(
    used: Order, power_bank: Shop
) -> None:
    own, stranger = visiting(used.person), visiting(someone(power_bank, name="陌生人"))
    assert receipt_at(used) not in own.get(f"/orders/{used.public_id}").content.decode()
    assert own.get(receipt_at(used)).status_code == own.get(f"{receipt_at(used)}.pdf").status_code == 404
    pay(used, 500)
    assert receipt_at(used) in own.get(f"/orders/{used.public_id}").content.decode()
    missing = stranger.get("/orders/ord_" + "0" * 32 + "/receipt").content
    for path in (receipt_at(used), f"{receipt_at(used)}.pdf"):
        theirs = stranger.get(path)
        assert (theirs.status_code, theirs.content) == (404, missing)
        assert Client().get(path)["Location"] == f"/account/login/?next={path}"
        assert own.post(path).status_code == 405


def test_the_pdf_says_its_name_and_moves_nothing(used: Order) -> None:
    pay(used, 500)
    browser = visiting(used.person)
    with nothing_moves("django_session"):
        answer = browser.get(f"{receipt_at(used)}.pdf?size=phone")
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == f'attachment; filename="receipt-{used.public_id}.pdf"'
    assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert answer.content.startswith(b"%PDF-")
    assert b"/Lang (zh-hans)" in answer.content


def test_a_receipt_asks_as_many_questions_however_much_was_paid_and_given_back(used: Order) -> None:
    browser, counts = visiting(used.person), []
    for _ in range(2):
        for _more in range(2):
            pay(used, 100)
        with CaptureQueriesContext(connection) as asking:
            browser.get(receipt_at(used))
        counts.append(len(asking))
    assert counts[0] == counts[1]


def test_a_receipt_for_an_order_that_is_nothing_but_its_title(power_bank: Shop) -> None:
    person = someone(power_bank)
    order = completed(power_bank, person, yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    it_is(NOON, person)
    assert "项目 金额 充电宝 ¥6.00" in said(order)
