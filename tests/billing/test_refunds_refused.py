"""Refunds that are refused: too much, of another merchant, or at the wrong time; nothing moves."""

import pytest

from billing.refusals import RefundTooMuch
from billing.services.deduct import deduct_due
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Order
from orders.refusals import DeductionInFlight, OrderState, PaidElsewhere
from tests.api import Api
from tests.billing.helpers import issue_refund, paid_order
from tests.conftest import BY, NOON, Shop, make_agreement, make_due_order, make_order, make_person, yuan
from tests.unchanged import assert_unchanged


@pytest.mark.parametrize("amount", ["6.01", "99999"])
def test_refund_of_more_than_was_paid_is_refused(power_bank: Shop, amount: str) -> None:
    order = paid_order(power_bank)
    with assert_unchanged(), pytest.raises(RefundTooMuch):
        issue_refund(order, amount)


def test_refusal_for_a_machine_is_in_english(power_bank: Shop) -> None:
    order = paid_order(power_bank)
    asked = {"amount": 601, "reason": "x"}
    answer = Api(power_bank).post(f"orders/{order.public_id}/refunds", asked, HTTP_ACCEPT_LANGUAGE="zh-CN").json()
    assert (answer["code"], answer["detail"]) == ("refund_too_much", "Up to 6.00 CNY can be refunded.")


def test_order_paid_elsewhere_is_not_refunded(power_bank: Shop) -> None:
    elsewhere = make_due_order(power_bank, make_person(power_bank), yuan("6"))
    orders.mark_paid(elsewhere.id, NOON, "till-1", by=BY, at=NOON)
    using = make_order(power_bank, make_agreement(power_bank, make_person(power_bank)))
    refused: list[tuple[Order, type[Refusal]]] = [(elsewhere, PaidElsewhere), (using, OrderState)]
    for order, refusal in refused:
        with assert_unchanged(), pytest.raises(refusal):
            issue_refund(order, "1")


def test_refund_is_refused_while_a_deduction_is_in_flight(power_bank: Shop) -> None:
    order = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with assert_unchanged(), pytest.raises(DeductionInFlight):
        issue_refund(order, "1")
