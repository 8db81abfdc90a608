"""The amount a single colleague may decide alone is the same in every currency, in services and in PostgreSQL."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from billing.models import Break, Case
from billing.services import breaks
from billing.services.refunds import RefundDetails, begin_refund
from credit.rules import needs_dual_approval
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired
from merchants import services as merchants
from orders import services as orders
from orders.models import Order
from orders.rules import HardshipTerms, plan_offers
from tests.billing.helpers import latest_deduction_of, paid_order
from tests.billing.statements import STRAY, import_file, statement_of
from tests.conftest import BY, NOON, Shop, make_agreement, make_order, make_person
from tests.db_errors import CHECK, raises_db_error
from tests.unchanged import assert_unchanged

LIN = Actor.staff(uuid4())
DONG = {"name": "储物柜", "currency": "VND", "mode": "dynamic", "ceiling_minor": 30_000_000}


def order_in_dong(shop: Shop, total: int) -> Order:
    service = merchants.offer_service(shop.merchant.id, DONG, by=BY, at=NOON)
    order = make_order(shop, make_agreement(replace(shop, service=service), make_person(shop)), currency="VND")
    orders.complete_order(order.id, orders.CompletionRequest(total=total), by=BY, at=NOON)
    return order


@pytest.mark.parametrize(
    ("currency", "least"),
    [("CNY", 100_000), ("USD", 14_285), ("VND", 3_000_000), ("IDR", 200_000_000), ("KWD", 50_000), ("JPY", 20_000)],
)
def test_approval_limit_is_equivalent_in_every_currency(currency: str, least: int) -> None:
    assert [needs_dual_approval(Money(minor, currency)) for minor in (least - 1, least)] == [False, True]


def test_unknown_currency_always_needs_approval() -> None:
    assert needs_dual_approval(Money(1, "XXX"))


def test_refund_in_dong_needs_approval_from_the_equivalent_amount(power_bank: Shop) -> None:
    order = order_in_dong(power_bank, 3_000_000)
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        begin_refund(order.id, RefundDetails(amount_minor=3_000_000, reason="x"), by=LIN, at=NOON)
    begin_refund(order.id, RefundDetails(amount_minor=2_999_999, reason="x"), by=LIN, at=NOON)


@pytest.mark.parametrize(("amount", "alone"), [(14_284, True), (14_285, False)])
@pytest.mark.breaks_invariants  # a stray movement that no channel made
def test_large_dollar_break_needs_approval(power_bank: Shop, amount: int, *, alone: bool) -> None:
    import_file(power_bank, statement_of([STRAY | {"currency": "USD", "amount": amount}]))
    row = Break.objects.get()
    assert breaks.needs_approval(row) != alone
    if alone:
        breaks.resolve_break(row.id, "nothing", "x", by=LIN, at=NOON)
        return
    with assert_unchanged(), pytest.raises(ApprovalRequired):
        breaks.resolve_break(row.id, "nothing", "x", by=LIN, at=NOON)
    closed = {"closed_at": NOON, "closed_by": str(LIN), "resolution": "nothing", "closed_because": "x"}
    with raises_db_error(CHECK, "a_large_break_is_closed_by_two"):
        Break.objects.update(**closed)


@pytest.mark.parametrize(("currency", "most"), [("CNY", 99_999), ("USD", 14_284), ("VND", 2_999_999)])
def test_postgresql_agrees_which_amounts_need_approval(power_bank: Shop, currency: str, most: int) -> None:
    Case.objects.create(
        realm_id=power_bank.realm_id, kind="x", deduction=latest_deduction_of(paid_order(power_bank)), opened_at=NOON
    )
    closed: dict[str, Any] = {"closed_at": NOON, "closed_by": str(LIN), "resolution": "stands", "closed_because": "x"}
    with raises_db_error(CHECK, "a_large_case_is_closed_by_two"):
        Case.objects.update(**closed, at_stake_minor=most + 1, at_stake_currency=currency)
    assert Case.objects.update(**closed, at_stake_minor=most, at_stake_currency=currency) == 1


def test_an_instalment_is_at_least_the_minimum_in_every_currency() -> None:
    ease = HardshipTerms(parts=(3,), every_days=(7,), days_max=90, part_min_minor=300, apart_days=0)
    for currency, least in (("CNY", 900), ("USD", 126), ("VND", 27_000), ("KWD", 450)):
        found = [bool(plan_offers(ease, [Money(minor, currency)])) for minor in (least - 1, least)]
        assert found == [False, True], currency
