"""A merchant who gives everything back keeps nothing that a late fee would be for."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Order
from tests.billing.bench import balances, give_back, token_of
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, someone, yuan
from tests.falling import fall

A_DAY = timedelta(days=1)
LATER = NOON + 7 * A_DAY


@pytest.fixture
def late(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a fifth at most."""
    return make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)


def overdue(shop: Shop, *, paid: int) -> Order:
    """With late fees beside it, and so much of it paid."""
    order = completed(shop, someone(shop, "no_funds"), yuan("100"))
    for day in range(4, 7):
        fall(shop.realm_id, at=NOON + day * A_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * A_DAY, limit=100)
    assert order.obligations.get(kind="late_fee").amount_minor == 100
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    if paid:
        pay_now(order.id, amount_minor=paid, by=BY, at=LATER)
    return order


@pytest.mark.parametrize("paid", [0, 100, 10_000])
def test_where_everything_goes_back_its_late_fee_is_forgiven(late: Shop, paid: int) -> None:
    order = overdue(late, paid=paid)
    give_back(order, "100", at=LATER)

    fee = order.obligations.get(kind="late_fee")
    assert (fee.state, fresh(order.id).state) == ("waived", "deducted")
    assert balances(late) == {}


def test_what_was_paid_of_it_stays(late: Shop) -> None:
    order = overdue(late, paid=10_050)
    give_back(order, "100", at=LATER)

    fee = order.obligations.get(kind="late_fee")
    assert (fee.state, fee.amount_minor, fresh(order.id).state) == ("paid", 50, "deducted")
    assert balances(late)["late_fees"] == 50


@pytest.mark.parametrize("paid", [0, 100, 10_000])
def test_where_the_merchant_keeps_something_it_stays_owed(late: Shop, paid: int) -> None:
    order = overdue(late, paid=paid)
    give_back(order, "99.99", at=LATER)
    assert (order.obligations.get(kind="late_fee").owed.minor, fresh(order.id).state) == (100, "overdue")
