"""A late fee that was given up stands in nobody's way."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.bench import give_back, token_of
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, yuan

DAY = timedelta(days=1)


@pytest.fixture
def fees(db: None) -> Shop:
    return make_shop("飞鸽", ceiling_minor=200_00, late_fee_daily_bps=50, late_fee_cap_bps=1000)


def test_what_was_recovered_for_the_goods_can_be_given_back(fees: Shop) -> None:
    order = completed(fees, someone(fees, "no_funds"), yuan("100"))
    deduct_due(fees.realm_id, at=NOON)
    orders.mark_overdue(fees.realm_id, at=NOON + 4 * DAY, limit=9)
    orders.close_days(fees.realm_id, at=NOON + 6 * DAY, limit=9)
    orders.write_off(order.id, "x", by=BY, at=NOON + 6 * DAY)
    bank.change_account(token_of(order), Behaviour.PAYS)
    pay_now(order.id, amount_minor=10_000, by=BY, at=NOON + 6 * DAY)
    assert order.obligations.get(kind="principal").state == "paid"
    give_back(order, "100", at=NOON + 7 * DAY)
    assert fresh(order.id).refunded_minor == 10_000
