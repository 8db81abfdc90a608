"""A merchant that keeps nothing of an order pays no fee for it."""

from billing.channels import bank_disputes
from billing.services.callbacks import deliver_callbacks
from billing.services.deduct import deduct_due
from billing.services.pay import pay_now
from orders import services as orders
from tests.billing.helpers import balances, issue_refund, latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, reload_order, state_of, yuan


def test_no_fee_remains_after_a_full_refund(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("1.50"))
    deduct_due(parcel.realm_id, at=NOON)
    issue_refund(order, "0.90")
    assert reload_order(order.id).refunded_minor == 90
    assert balances(parcel)["fees"] == 1
    assert bank_disputes.reverse_debit(latest_deduction_of(order).number, "no_funds", at=NOON)
    deliver_callbacks(parcel.realm_id, at=NOON)
    assert state_of(order) == "overdue"
    orders.reduce_total(order.id, 140, "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    issue_refund(order, "0.50")
    found = balances(parcel)
    assert (found.get("fees", 0), found.get("payable", 0)) == (0, 0)
