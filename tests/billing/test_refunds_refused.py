"""Money back that is refused: too much, not ours, not now; and nothing moves."""

import pytest

from billing.refusals import RefundTooMuch
from billing.services.deduct import deduct_due
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Order
from orders.refusals import DeductionInFlight, OrderState, PaidElsewhere
from tests.api import Api
from tests.billing.bench import give_back, paid
from tests.conftest import BY, NOON, Shop, completed, opened, ordered, someone, yuan
from tests.stillness import nothing_moves


@pytest.mark.parametrize("amount", ["6.01", "99999"])
def test_more_than_there_is_cannot_be_given_back(power_bank: Shop, amount: str) -> None:
    order = paid(power_bank)
    with nothing_moves(), pytest.raises(RefundTooMuch):
        give_back(order, amount)


def test_a_machine_is_told_how_much_there_is_in_english_whatever_it_reads(power_bank: Shop) -> None:
    order = paid(power_bank)
    asked = {"amount": 601, "reason": "x"}
    answer = Api(power_bank).post(f"orders/{order.public_id}/refunds", asked, HTTP_ACCEPT_LANGUAGE="zh-CN").json()
    assert (answer["code"], answer["detail"]) == ("refund_too_much", "Up to 6.00 CNY can be refunded.")


def test_what_never_came_through_us_is_not_ours_to_give_back(power_bank: Shop) -> None:
    elsewhere = completed(power_bank, someone(power_bank), yuan("6"))
    orders.mark_paid(elsewhere.id, NOON, "till-1", by=BY, at=NOON)
    using = ordered(power_bank, opened(power_bank, someone(power_bank)))
    refused: list[tuple[Order, type[Refusal]]] = [(elsewhere, PaidElsewhere), (using, OrderState)]
    for order, refusal in refused:
        with nothing_moves(), pytest.raises(refusal):
            give_back(order, "1")


def test_while_a_deduction_is_under_way_nobody_knows_what_to_give_back(power_bank: Shop) -> None:
    order = completed(power_bank, someone(power_bank, "slow"), yuan("6"))
    deduct_due(power_bank.realm_id, at=NOON)
    with nothing_moves(), pytest.raises(DeductionInFlight):
        give_back(order, "1")
