"""A merchant's fee is of what they keep, to the last minor unit, in whatever order it is disputed and given back."""

from itertools import permutations

import pytest

from billing.channels import bank_returns
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from orders.models import Order
from tests.billing.bench import balances, give_back
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan


@pytest.fixture
def one_in_a_hundred(db: None) -> Shop:
    return make_shop("费", fee_bps=100)


def paid_in_halves(shop: Shop) -> Order:
    order = completed(shop, someone(shop), yuan("1"))
    pay_now(order.id, amount_minor=50, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    return order


def disputed(shop: Shop, *places: int) -> list[Dispute]:
    rows = list(Deduction.objects.order_by("id"))
    for place in places:
        assert bank_returns.take_back(rows[place].number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    return list(Dispute.objects.order_by("id"))


def lose(row: Dispute) -> None:
    accept_dispute(row.id, "merchant", "x", by=BY, at=NOON)


def test_of_what_is_refunded_while_the_rest_is_disputed(one_in_a_hundred: Shop) -> None:
    order = paid_in_halves(one_in_a_hundred)
    (row,) = disputed(one_in_a_hundred, 0)
    give_back(order, "0.25")
    lose(row)
    give_back(order, "0.25")
    assert balances(one_in_a_hundred) == {}


@pytest.mark.parametrize("turn", list(permutations([0, 1])))
def test_of_what_is_disputed_twice(one_in_a_hundred: Shop, turn: tuple[int, int]) -> None:
    paid_in_halves(one_in_a_hundred)
    rows = disputed(one_in_a_hundred, 0, 1)
    for place in turn:
        lose(rows[place])
    assert balances(one_in_a_hundred) == {}
