"""What a person and a merchant see of a disputed debit: on the order, its receipt and the merchant console."""

from datetime import timedelta

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.dispute_deadlines import process_due_disputes
from billing.services.pay import pay_now
from orders.models import Order
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.browsing import client_for, visible_text
from tests.conftest import BY, NOON, Shop


def test_a_disputed_deduction_is_shown_and_left_out_of_the_receipt(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    browser = client_for(order.person)
    page = visible_text(browser.get(f"/orders/{order.public_id}"))
    assert "¥6.00 已被银行退回" in page
    assert "银行退回了一笔扣款，需要重新支付" in page
    pay_now(order.id, by=BY, at=NOON)
    receipt = visible_text(browser.get(f"/orders/{order.public_id}/receipt"))
    assert "¥6.00 已被银行退回" in receipt
    assert "¥12.00" not in receipt


def order_text(order: Order) -> str:
    return visible_text(client_for(order.person).get(f"/orders/{order.public_id}"))


def test_a_dispute_the_merchant_is_liable_for_is_shown_so(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "duplicate", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    told = "银行正在处理您对这笔扣款的异议"
    page = order_text(order)
    assert (told in page, "已退还给您" in page, "已退款" in page) == (True, False, False), "the dispute is not decided"
    for day in range(9):
        process_due_disputes(shop.realm_id, at=NOON + timedelta(days=day))
    page = order_text(order)
    assert "已支付 ¥49.90 已退款 −¥49.90 待付金额 ¥0.00" in page
    assert (told in page, "银行已将 ¥49.90 退还给您" in page) == (False, True)
    receipt = visible_text(client_for(order.person).get(f"/orders/{order.public_id}/receipt"))
    assert "已扣款 ¥49.90 已退款 ¥49.90 退款后实付 ¥0.00 待付金额 ¥0.00" in receipt
