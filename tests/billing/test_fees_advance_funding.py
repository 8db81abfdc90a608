"""A merchant paid at completion also keeps what is unpaid: the fee is charged on that too."""

from billing.channels import bank_disputes
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from tests.billing.helpers import balances, latest_deduction_of
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, state_of, yuan


def test_partly_liable_merchant_pays_the_fee_of_the_rest(parcel: Shop) -> None:
    order = make_due_order(parcel, make_person(parcel), yuan("2.13"))
    pay_now(order.id, amount_minor=36, by=BY, at=NOON)
    first = latest_deduction_of(order)
    pay_now(order.id, amount_minor=138, by=BY, at=NOON)
    assert bank_disputes.reverse_debit(first.number, "not_received", at=NOON)
    deliver_callbacks(parcel.realm_id, at=NOON)
    accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    found = balances(parcel)
    assert (found["fees"], found["payable"]) == (2, 175)
