"""What one colleague may decide alone is as much in every currency, in the services and in PostgreSQL."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from billing.models import Break, Case
from billing.rules import takes_two
from billing.services import breaks
from billing.services.refund import Asked, begin_refund
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import SecondNeeded
from merchants import services as merchants
from orders import services as orders
from orders.models import Order
from orders.rules import Ease, offers
from tests.billing.bench import deduction_of, paid
from tests.billing.statements import STRAY, taken_in, written
from tests.conftest import BY, NOON, Shop, opened, ordered, someone
from tests.guards import CHECK, refused_by
from tests.stillness import nothing_moves

LIN = Actor.staff(uuid4())
DONG = {"name": "储物柜", "currency": "VND", "mode": "dynamic", "ceiling_minor": 30_000_000}


def in_dong(shop: Shop, total: int) -> Order:
    service = merchants.offer_service(shop.merchant.id, DONG, by=BY, at=NOON)
    order = ordered(shop, opened(replace(shop, service=service), someone(shop)), currency="VND")
    orders.complete_order(order.id, orders.Final(total=total), by=BY, at=NOON)
    return order


@pytest.mark.parametrize(
    ("currency", "least"),
    [("CNY", 100_000), ("USD", 14_285), ("VND", 3_000_000), ("IDR", 200_000_000), ("KWD", 50_000), ("JPY", 20_000)],
)
def test_a_thousand_yuan_are_as_much_in_every_currency(currency: str, least: int) -> None:
    assert [takes_two(Money(minor, currency)) for minor in (least - 1, least)] == [False, True]


def test_what_nobody_has_a_measure_for_takes_two() -> None:
    assert takes_two(Money(1, "XXX"))


def test_a_refund_in_dong_takes_two_from_as_much_on(power_bank: Shop) -> None:
    order = in_dong(power_bank, 3_000_000)
    with nothing_moves(), pytest.raises(SecondNeeded):
        begin_refund(order.id, Asked(amount_minor=3_000_000, reason="x"), by=LIN, at=NOON)
    begin_refund(order.id, Asked(amount_minor=2_999_999, reason="x"), by=LIN, at=NOON)


@pytest.mark.parametrize(("amount", "alone"), [(14_284, True), (14_285, False)])
@pytest.mark.breaks_the_house  # a stray movement that no channel made
def test_a_difference_in_dollars_is_closed_by_two(power_bank: Shop, amount: int, *, alone: bool) -> None:
    taken_in(power_bank, written([STRAY | {"currency": "USD", "amount": amount}]))
    row = Break.objects.get()
    assert breaks.needs_second(row) != alone
    if alone:
        breaks.settle_break(row.id, "nothing", "x", by=LIN, at=NOON)
        return
    with nothing_moves(), pytest.raises(SecondNeeded):
        breaks.settle_break(row.id, "nothing", "x", by=LIN, at=NOON)
    closed = {"closed_at": NOON, "closed_by": str(LIN), "resolution": "nothing", "closed_because": "x"}
    with refused_by(CHECK, "a_large_break_is_closed_by_two"):
        Break.objects.update(**closed)


@pytest.mark.parametrize(("currency", "most"), [("CNY", 99_999), ("USD", 14_284), ("VND", 2_999_999)])
def test_postgresql_knows_what_takes_two(power_bank: Shop, currency: str, most: int) -> None:
    Case.objects.create(
        realm_id=power_bank.realm_id, kind="x", deduction=deduction_of(paid(power_bank)), opened_at=NOON
    )
    closed: dict[str, Any] = {"closed_at": NOON, "closed_by": str(LIN), "resolution": "stands", "closed_because": "x"}
    with refused_by(CHECK, "a_large_case_is_closed_by_two"):
        Case.objects.update(**closed, at_stake_minor=most + 1, at_stake_currency=currency)
    assert Case.objects.update(**closed, at_stake_minor=most, at_stake_currency=currency) == 1


def test_a_part_of_a_plan_comes_to_something_in_every_currency() -> None:
    ease = Ease(parts=(3,), every_days=(7,), days_max=90, part_min_minor=300, apart_days=0)
    for currency, least in (("CNY", 900), ("USD", 126), ("VND", 27_000), ("KWD", 450)):
        found = [bool(offers(ease, [Money(minor, currency)])) for minor in (least - 1, least)]
        assert found == [False, True], currency
