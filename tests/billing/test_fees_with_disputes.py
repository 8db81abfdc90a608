"""A merchant's fee is that of what they keep, to the minor unit, in any order of disputes and refunds."""

from itertools import permutations

import pytest

from billing.channels import bank_disputes
from billing.models import Deduction, Dispute
from billing.services.callbacks import deliver_callbacks
from billing.services.disputes import accept_dispute
from billing.services.pay import pay_now
from orders.models import Order
from tests.billing.helpers import balances, issue_refund
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan


@pytest.fixture
def one_in_a_hundred(db: None) -> Shop:
    return make_shop("费", fee_bps=100)


def order_paid_in_halves(shop: Shop) -> Order:
    order = make_due_order(shop, make_person(shop), yuan("1"))
    pay_now(order.id, amount_minor=50, by=BY, at=NOON)
    pay_now(order.id, by=BY, at=NOON)
    return order


def dispute_lines(shop: Shop, *places: int) -> list[Dispute]:
    rows = list(Deduction.objects.order_by("id"))
    for place in places:
        assert bank_disputes.reverse_debit(rows[place].number, "not_received", at=NOON)
    deliver_callbacks(shop.realm_id, at=NOON)
    return list(Dispute.objects.order_by("id"))


def accept(row: Dispute) -> None:
    accept_dispute(row.id, "merchant", "x", by=BY, at=NOON)


def test_fee_when_refunded_while_the_rest_is_disputed(one_in_a_hundred: Shop) -> None:
    order = order_paid_in_halves(one_in_a_hundred)
    (row,) = dispute_lines(one_in_a_hundred, 0)
    issue_refund(order, "0.25")
    accept(row)
    issue_refund(order, "0.25")
    assert balances(one_in_a_hundred) == {}


@pytest.mark.parametrize("turn", list(permutations([0, 1])))
def test_fee_of_two_disputes(one_in_a_hundred: Shop, turn: tuple[int, int]) -> None:
    order_paid_in_halves(one_in_a_hundred)
    rows = dispute_lines(one_in_a_hundred, 0, 1)
    for place in turn:
        accept(rows[place])
    assert balances(one_in_a_hundred) == {}
