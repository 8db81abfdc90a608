"""What we bear of a dispute the merchant keeps: their fee is of it, too."""

import pytest

from billing.channels import bank_returns
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from tests.billing.bench import balances, give_back
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan


@pytest.fixture
def one_in_a_hundred(db: None) -> Shop:
    return make_shop("费", fee_bps=100)


def we_bear_the_first(shop: Shop) -> None:
    assert bank_returns.take_back(Deduction.objects.earliest("id").number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    accept_dispute(Dispute.objects.get().id, "platform", "x", by=BY, at=NOON)


def test_of_what_is_paid_after_it(one_in_a_hundred: Shop) -> None:
    order = completed(one_in_a_hundred, someone(one_in_a_hundred), yuan("1"))
    pay_now(order.id, amount_minor=50, by=BY, at=NOON)
    we_bear_the_first(one_in_a_hundred)
    pay_now(order.id, by=BY, at=NOON)
    found = balances(one_in_a_hundred)
    assert (found["fees"], found["payable"]) == (1, 99)


def test_of_what_is_left_after_a_refund(one_in_a_hundred: Shop) -> None:
    order = completed(one_in_a_hundred, someone(one_in_a_hundred), yuan("1"))
    for part in (50, 50):
        pay_now(order.id, amount_minor=part, by=BY, at=NOON)
    we_bear_the_first(one_in_a_hundred)
    give_back(order, "0.50")
    found = balances(one_in_a_hundred)
    assert (found["fees"], found["payable"]) == (1, 49)
