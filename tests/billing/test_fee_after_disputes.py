"""Who was paid at completion keeps what is not paid yet, too: a fee is of that as well."""

from billing.channels import bank_returns
from billing.models import Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from tests.billing.bench import balances, deduction_of
from tests.conftest import BY, NOON, Shop, completed, someone, state_of, yuan


def test_a_part_that_the_merchant_bears_leaves_the_fee_of_the_rest(parcel: Shop) -> None:
    order = completed(parcel, someone(parcel), yuan("2.13"))
    pay_now(order.id, amount_minor=36, by=BY, at=NOON)
    first = deduction_of(order)
    pay_now(order.id, amount_minor=138, by=BY, at=NOON)
    assert bank_returns.take_back(first.number, "not_received", at=NOON)
    deliver_callbacks(parcel.realm_id, at=NOON)
    accept_dispute(Dispute.objects.get().id, "merchant", "x", by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    assert state_of(order) == "deducted"
    found = balances(parcel)
    assert (found["fees"], found["payable"]) == (2, 175)
