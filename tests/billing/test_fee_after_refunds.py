"""A merchant that keeps nothing of an order has paid no fee for it."""

from billing.channels import bank_returns
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.bench import balances, deduction_of, give_back
from tests.conftest import BY, NOON, Shop, completed, fresh, someone, state_of, yuan


def test_fees_come_to_nothing_where_everything_was_given_back(parcel: Shop) -> None:
    order = completed(parcel, someone(parcel), yuan("1.50"))
    deduct_due(parcel.realm_id, at=NOON)
    give_back(order, "0.90")
    assert fresh(order.id).refunded_minor == 90
    assert balances(parcel)["fees"] == 1
    assert bank_returns.take_back(deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(parcel.realm_id, at=NOON)
    assert state_of(order) == "overdue"
    orders.lower_total(order.id, 140, "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    give_back(order, "0.50")
    found = balances(parcel)
    assert (found.get("fees", 0), found.get("payable", 0)) == (0, 0)
