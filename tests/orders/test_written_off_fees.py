"""A written-off late fee blocks nothing."""

from datetime import timedelta

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.helpers import issue_refund, overdue_with_fees, token_of
from tests.conftest import BY, NOON, Shop, reload_order

DAY = timedelta(days=1)


def test_recovered_principal_can_be_refunded(fees: Shop) -> None:
    order = overdue_with_fees(fees)
    orders.write_off(order.id, "x", by=BY, at=NOON + 6 * DAY)
    bank.change_account(token_of(order), Behaviour.PAYS)
    pay_now(order.id, amount_minor=10_000, by=BY, at=NOON + 6 * DAY)
    assert order.obligations.get(kind="principal").state == "paid"
    issue_refund(order, "100", at=NOON + 7 * DAY)
    assert reload_order(order.id).refunded_minor == 10_000
