"""If everything is refunded, late fees are waived too."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.services.pay import pay_now
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, token_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, reload_order, yuan
from tests.overdue import make_overdue

A_DAY = timedelta(days=1)
LATER = NOON + 7 * A_DAY


@pytest.fixture
def late(db: None) -> Shop:
    """A shop with late fees: half a percent a day, a fifth at most."""
    return make_shop("飞鸽", late_fee_daily_bps=50, late_fee_cap_bps=2000, ceiling_minor=50_000)


def overdue_order(shop: Shop, *, paid: int) -> Order:
    """With late fees beside it, and so much of it paid."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("100"))
    for day in range(4, 7):
        make_overdue(shop.realm_id, at=NOON + day * A_DAY, limit=100)
        orders.close_days(shop.realm_id, at=NOON + day * A_DAY, limit=100)
    assert order.obligations.get(kind="late_fee").amount_minor == 100
    bank.change_account(token_of(order), bank.Behaviour.PAYS)
    if paid:
        pay_now(order.id, amount_minor=paid, by=BY, at=LATER)
    return order


@pytest.mark.parametrize("paid", [0, 100, 10_000])
def test_full_refund_waives_the_late_fee(late: Shop, paid: int) -> None:
    order = overdue_order(late, paid=paid)
    issue_refund(order, "100", at=LATER)

    fee = order.obligations.get(kind="late_fee")
    assert (fee.state, reload_order(order.id).state) == ("waived", "deducted")
    assert balances(late) == {}


def test_paid_late_fee_stays_paid_after_a_full_refund(late: Shop) -> None:
    order = overdue_order(late, paid=10_050)
    issue_refund(order, "100", at=LATER)

    fee = order.obligations.get(kind="late_fee")
    assert (fee.state, fee.amount_minor, reload_order(order.id).state) == ("paid", 50, "deducted")
    assert balances(late)["late_fees"] == 50


@pytest.mark.parametrize("paid", [0, 100, 10_000])
def test_late_fee_stays_owed_after_a_partial_refund(late: Shop, paid: int) -> None:
    order = overdue_order(late, paid=paid)
    issue_refund(order, "99.99", at=LATER)
    assert (order.obligations.get(kind="late_fee").owed.minor, reload_order(order.id).state) == (100, "overdue")
