"""The order page of overdue and paused orders."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from billing.services.instruments import open_wallet
from billing.services.pay import pay_now
from billing.services.wallets import top_up
from orders import services as orders
from orders.models import Order, Pause
from tests.browsing import client_for, freeze_clock, visible_text
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan

pytestmark = pytest.mark.usefixtures("all_attempted")

A_DAY = timedelta(days=1)


def overdue(days: int, amount: str = "98", **terms: int) -> tuple[Shop, Order]:
    """Due at noon, overdue three days later, and looked at after so many days."""
    shop = make_shop("严谨租赁", ceiling_minor=500_00, **terms)
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan(amount))
    deduct_due(shop.realm_id, at=NOON)
    orders.mark_overdue(shop.realm_id, at=NOON + 3 * A_DAY, limit=10)
    orders.close_days(shop.realm_id, at=NOON + days * A_DAY, limit=10)
    deduct_due(shop.realm_id, at=NOON + days * A_DAY)
    freeze_clock(NOON + days * A_DAY, order.person)
    return shop, order


def shown(order: Order, language: str = "zh-CN") -> str:
    return visible_text(client_for(order.person, language).get(f"/orders/{order.public_id}"))


def test_an_overdue_order_shows_since_when_and_the_late_fee(db: None) -> None:
    _shop, order = overdue(10, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    page = shown(order)
    for told in (
        "待付金额 ¥98.34",
        "已逾期，超过应付日 10 天",
        "应于 2026年11月20日 12:00 付清，自 2026年11月23日 12:00 起记为逾期。",
        "目前逾期费 ¥0.34 逾期费上限 ¥9.80",
        "每天按未付金额的 0.05% 增加，目前每天约 ¥0.05。",
        "现在付清即可：逾期费不再增加",
    ):
        assert told in page, told
    english = shown(order, "en")
    assert "Overdue: 10 days past the due date" in english
    assert "It increases by 0.05% of the unpaid amount per day, currently about CN¥0.05." in english


def test_a_fee_below_one_cent_is_not_shown_as_zero(db: None) -> None:
    _shop, order = overdue(4, "0.50", late_fee_daily_bps=5, late_fee_cap_bps=1000)
    assert "每天按未付金额的 0.05% 增加。" in shown(order)


def test_a_capped_fee_is_shown_as_capped(db: None) -> None:
    _shop, order = overdue(10, late_fee_daily_bps=50, late_fee_cap_bps=60)
    page = shown(order)
    assert "目前逾期费 ¥0.59 逾期费上限 ¥0.59" in page
    assert "逾期费已达上限，不会再增加。" in page
    assert "每天按" not in page


def test_without_a_late_fee_none_is_mentioned(db: None) -> None:
    _shop, order = overdue(3)
    page = shown(order)
    assert "已逾期，超过应付日 3 天" in page
    assert "此服务不收逾期费。" in page
    assert "现在付清，本订单就不再记为逾期" in page
    assert "上限" not in page
    assert "逾期费不再增加" not in page


def test_a_fee_without_principal_does_not_accrue(db: None) -> None:
    _shop, order = overdue(10, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    open_wallet(order.person, at=NOON)
    top_up(order.person_id, yuan("98"), "bank 1", at=NOON)
    wallet = order.person.instruments.get(channel="wallet")
    pay_now(order.id, amount_minor=9800, instrument_id=wallet.id, by=BY, at=NOON + 10 * A_DAY)
    page = shown(order)
    assert "待付金额 ¥0.34" in page
    assert "订单款项已付清，逾期费不会再增加。" in page


def test_a_written_off_debt_is_not_called_paid(db: None) -> None:
    _shop, order = overdue(10, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    orders.write_off(order.id, "x", by=BY, at=NOON + 10 * A_DAY)
    page = shown(order)
    assert "待付金额 ¥98.34" in page
    assert "这笔欠款已核销，逾期费不再增加。" in page
    assert "现在付清，本订单就不再记为逾期" in page
    for wrong in ("订单款项已付清", "现在付清即可：逾期费不再增加"):
        assert wrong not in page
    assert "This debt was written off; the late fee will not increase." in shown(order, "en")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("problem_reported", "您反馈的问题正在处理"),
        ("return_under_way", "您的退货正在处理"),
        ("refund_in_flight", "您的退款正在处理"),
        ("hardship", "已为您延后还款"),
        ("channel_outage", "银行渠道暂时无法使用"),
    ],
)
def test_a_paused_order_shows_the_reason_and_the_effects(db: None, reason: str, told: str) -> None:
    shop, order = overdue(10, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    orders.pause_order(order.id, reason, by=BY, at=NOON + 10 * A_DAY)
    page = shown(order)
    assert f"已暂停扣款和逾期计算 {told} 自 2026年11月30日 12:00 起" in page
    assert "暂停期间不会自动扣款，不计逾期天数，不加逾期费，也不影响您的守约记录。" in page
    assert "接下来 暂停期间不会自动扣款。" in page
    assert "暂停期间逾期费不会增加。" in page
    assert "再次扣款" not in page
    assert "立即支付" in page

    orders.resume_order(order.id, reason, by=BY, at=NOON + 12 * A_DAY)
    freeze_clock(NOON + 12 * A_DAY, order.person)
    page = shown(order)
    assert "已暂停扣款" not in page
    assert "2026年12月6日 10:00 此前扣款失败，再次扣款" in page  # two days later than was planned
    assert not deduct_due(shop.realm_id, at=NOON + 12 * A_DAY)


def test_every_pause_reason_has_a_text(db: None) -> None:
    _shop, order = overdue(4)
    for reason in Pause.Reason.values:
        orders.pause_order(order.id, reason, by=BY, at=NOON + 4 * A_DAY)
    page = shown(order)
    assert page.count("自 2026年11月24日 12:00 起") == len(Pause.Reason.values)
    assert page.count("银行渠道暂时无法使用") == 2  # above what is owed, and in the story


def test_a_waived_fee_does_not_accrue_again(db: None) -> None:
    shop, order = overdue(10, late_fee_daily_bps=50, late_fee_cap_bps=200)
    orders.waive_fees(order.id, "x", by=BY, at=NOON + 10 * A_DAY)
    page = shown(order)
    assert "目前逾期费 ¥0.00 逾期费上限 ¥0.00" in page
    assert "逾期费已达上限，不会再增加。" in page
    orders.close_days(shop.realm_id, at=NOON + 20 * A_DAY, limit=10)
    assert not order.obligations.filter(kind="late_fee").exclude(state="waived").exists()


def test_after_a_waiver_the_rest_up_to_the_cap_may_accrue(db: None) -> None:
    _shop, order = overdue(10, late_fee_daily_bps=5, late_fee_cap_bps=1000)
    orders.waive_fees(order.id, "x", by=BY, at=NOON + 10 * A_DAY)
    assert "目前逾期费 ¥0.00 逾期费上限 ¥9.46" in shown(order)
