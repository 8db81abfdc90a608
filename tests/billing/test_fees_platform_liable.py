"""What the platform bears of a dispute the merchant keeps, and the fee is charged on it."""

import pytest

from billing.channels import bank_disputes
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from tests.billing.helpers import balances, issue_refund
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan


@pytest.fixture
def one_in_a_hundred(db: None) -> Shop:
    return make_shop("费", fee_bps=100)


def make_platform_liable(shop: Shop) -> None:
    assert bank_disputes.reverse_debit(Deduction.objects.earliest("id").number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    accept_dispute(Dispute.objects.get().id, "platform", "x", by=BY, at=NOON)


def test_fee_of_what_is_paid_after_the_dispute(one_in_a_hundred: Shop) -> None:
    order = make_due_order(one_in_a_hundred, make_person(one_in_a_hundred), yuan("1"))
    pay_now(order.id, amount_minor=50, by=BY, at=NOON)
    make_platform_liable(one_in_a_hundred)
    pay_now(order.id, by=BY, at=NOON)
    found = balances(one_in_a_hundred)
    assert (found["fees"], found["payable"]) == (1, 99)


def test_fee_of_what_is_left_after_a_refund(one_in_a_hundred: Shop) -> None:
    order = make_due_order(one_in_a_hundred, make_person(one_in_a_hundred), yuan("1"))
    for part in (50, 50):
        pay_now(order.id, amount_minor=part, by=BY, at=NOON)
    make_platform_liable(one_in_a_hundred)
    issue_refund(order, "0.50")
    found = balances(one_in_a_hundred)
    assert (found["fees"], found["payable"]) == (1, 49)
