"""A late fee that was given up stands in nobody's way."""

from datetime import timedelta

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.bench import give_back, late_with_fees, token_of
from tests.conftest import BY, NOON, Shop, fresh

DAY = timedelta(days=1)


def test_what_was_recovered_for_the_goods_can_be_given_back(fees: Shop) -> None:
    order = late_with_fees(fees)
    orders.write_off(order.id, "x", by=BY, at=NOON + 6 * DAY)
    bank.change_account(token_of(order), Behaviour.PAYS)
    pay_now(order.id, amount_minor=10_000, by=BY, at=NOON + 6 * DAY)
    assert order.obligations.get(kind="principal").state == "paid"
    give_back(order, "100", at=NOON + 7 * DAY)
    assert fresh(order.id).refunded_minor == 10_000
