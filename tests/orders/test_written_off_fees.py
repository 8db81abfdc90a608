"""A written-off late fee blocks nothing."""

from datetime import timedelta

import pytest

from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.services.pay import pay_now
from credit.models import Profile
from merchants.models import Event
from orders import services as orders
from orders.models import Order
from tests.billing.helpers import balances, issue_refund, overdue_with_fees, token_of
from tests.conftest import BY, NOON, Shop, reload_order

DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("all_attempted")


def test_recovered_principal_can_be_refunded(fees: Shop) -> None:
    order = written_off_and_paid(fees, 10_000)
    assert order.obligations.get(kind="principal").state == "paid"
    issue_refund(order, "100", at=NOON + 7 * DAY)
    assert reload_order(order.id).refunded_minor == 10_000


@pytest.mark.parametrize("paid_fee", [0, 1])
def test_written_off_fee_of_an_order_refunded_in_full_is_waived(fees: Shop, paid_fee: int) -> None:
    order = written_off_and_paid(fees, 10_000 + paid_fee)
    fee = order.obligations.get(kind="late_fee")
    assert (reload_order(order.id).state, fee.state, fee.paid_minor) == ("overdue", "written_off", paid_fee)
    losses, income = balances(fees)["losses"], balances(fees)["late_fees"]
    rest = fee.owed.minor

    issue_refund(order, "99", at=NOON + 7 * DAY)
    assert (reload_order(order.id).state, balances(fees)["losses"]) == ("overdue", losses)
    issue_refund(order, "1", at=NOON + 7 * DAY)
    fee = order.obligations.get(kind="late_fee")
    assert (reload_order(order.id).state, Profile.objects.get(pk=order.person_id).overdue_orders) == ("deducted", 0)
    assert (fee.state, fee.owed.minor) == ("paid" if paid_fee else "waived", 0)
    now = balances(fees)
    assert (abs(losses) - abs(now.get("losses", 0)), abs(income) - abs(now.get("late_fees", 0))) == (rest, rest)
    assert Event.objects.filter(subject_id=order.id, type="order.deducted").count() == 1


def written_off_and_paid(shop: Shop, minor: int) -> Order:
    """An order of 100 yuan with late fees, written off, of which the customer then paid this much."""
    order = overdue_with_fees(shop)
    orders.write_off(order.id, "x", by=BY, at=NOON + 6 * DAY)
    bank.change_account(token_of(order), Behaviour.PAYS)
    pay_now(order.id, amount_minor=minor, by=BY, at=NOON + 6 * DAY)
    return order
