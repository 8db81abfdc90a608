"""What a person and a merchant see of a debit that the bank took back: on the order, its receipt, and the console."""

from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.pay import pay_now
from tests.billing.bench import deduction_of, paid
from tests.conftest import BY, NOON, Shop
from tests.visiting import visiting, words


def test_a_person_sees_that_it_was_taken_back_and_the_receipt_counts_what_stayed(power_bank: Shop) -> None:
    order = paid(power_bank)
    bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(power_bank.realm_id, at=NOON)
    browser = visiting(order.person)
    page = words(browser.get(f"/orders/{order.public_id}"))
    assert "¥6.00 已被银行退回" in page
    assert "银行退回了一笔扣款，需要重新支付" in page
    pay_now(order.id, by=BY, at=NOON)
    receipt = words(browser.get(f"/orders/{order.public_id}/receipt"))
    assert "¥6.00 已被银行退回" in receipt
    assert "¥12.00" not in receipt


def test_where_the_merchant_bears_it_the_person_reads_that_it_is_with_them(shop: Shop) -> None:
    order = paid(shop, "49.90")
    bank_returns.take_back(deduction_of(order).number, "duplicate", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    assert "已退还给您" not in words(visiting(order.person).get(f"/orders/{order.public_id}")), (
        "the dispute is not decided"
    )
