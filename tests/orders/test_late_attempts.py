"""No late fees accrue on days when our own attempt was overdue."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from orders import services as orders
from orders.models import Obligation
from tests.conftest import Shop, make_shop
from tests.orders.test_ageing import A_DAY, MIDNIGHT, late_fee, overdue, principal


@pytest.fixture
def strict(db: None) -> Shop:
    """No grace; 5 bps a day, 1 % at most."""
    return make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100, ceiling_minor=1_000_000)


def test_days_with_a_missed_attempt_cost_nothing(strict: Shop) -> None:
    """The sweeps did not run from the 20th to the 24th: the attempt of the 21st was made three days late."""
    order, later = overdue(strict, "1000"), MIDNIGHT + 3 * A_DAY + timedelta(hours=22)
    assert [attempt["at"][:10] for attempt in principal(order).plan[:2]] == ["2026-11-21", "2026-11-23"]
    deduct_due(strict.realm_id, at=later)
    orders.close_days(strict.realm_id, at=later, limit=10)

    assert (principal(order).overdue_days, late_fee(order)) == (4, 50)  # the 20th's alone; it is four days late
    orders.close_days(strict.realm_id, at=MIDNIGHT + 4 * A_DAY, limit=10)
    assert late_fee(order) == 100, "from the day on which it was tried again each day costs as before"


def test_closing_days_without_attempting_costs_nothing(strict: Shop) -> None:
    """The clerk ran, but the worker did not."""
    order = overdue(strict, "1000")
    for day in range(4):
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (4, 50)


def test_a_day_between_two_attempts_costs_as_agreed(strict: Shop) -> None:
    """The default plan tries on some days only: what was attempted in time is late by itself."""
    order = overdue(strict, "1000")
    for day in range(6):
        deduct_due(strict.realm_id, at=MIDNIGHT + day * A_DAY - timedelta(hours=6))
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (6, 300)


def test_days_closed_late_cost_the_same(strict: Shop) -> None:
    """Only the days were closed late: every attempt was made on its day."""
    order = overdue(strict, "1000")
    for day in range(6):
        deduct_due(strict.realm_id, at=MIDNIGHT + day * A_DAY - timedelta(hours=6))
    orders.close_days(strict.realm_id, at=MIDNIGHT + 5 * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (6, 300)


def test_where_nothing_more_is_planned_days_cost_as_agreed(strict: Shop) -> None:
    order = overdue(strict, "1000")
    orders.replace_plans({principal(order): []}, why="failed", at=MIDNIGHT - timedelta(hours=1))
    orders.close_days(strict.realm_id, at=MIDNIGHT + 3 * A_DAY, limit=10)
    assert late_fee(order) == 200


def test_debts_payable_by_hand_cost_fees_without_attempts(strict: Shop) -> None:
    """After a returned deduction the earlier plan no longer counts."""
    order = overdue(strict, "1000")
    Obligation.objects.filter(order=order).update(by_hand=True, plan=[], collect_at=None)
    orders.close_days(strict.realm_id, at=MIDNIGHT + 3 * A_DAY, limit=10)
    assert late_fee(order) == 200
