"""What a person and a merchant see of a disputed debit: on the order, its receipt and the merchant console."""

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
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


def test_a_dispute_the_merchant_is_liable_for_is_shown_so(shop: Shop) -> None:
    order = paid_order(shop, "49.90")
    bank_disputes.reverse_debit(latest_deduction_of(order).number, "duplicate", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    assert "已退还给您" not in visible_text(client_for(order.person).get(f"/orders/{order.public_id}")), (
        "the dispute is not decided"
    )
