"""A person pays no late fee for days on which it was ours to ask, and we did not."""

from datetime import timedelta

import pytest

from billing.services.deduct import deduct_due
from orders import services as orders
from orders.models import Obligation
from tests.conftest import Shop, make_shop
from tests.orders.test_ageing import A_DAY, MIDNIGHT, late_fee, overdue, principal


@pytest.fixture
def strict(db: None) -> Shop:
    """Overdue at once; 5 bps a day, 1 % at most."""
    return make_shop("严谨租赁", grace=timedelta(), late_fee_daily_bps=5, late_fee_cap_bps=100, ceiling_minor=1_000_000)


def test_days_on_which_we_did_not_try_though_it_was_planned_cost_nothing(strict: Shop) -> None:
    """The sweeps stood still from the 20th to the 24th: what was planned for the 21st was asked for three days late."""
    order, later = overdue(strict, "1000"), MIDNIGHT + 3 * A_DAY + timedelta(hours=22)
    assert [attempt["at"][:10] for attempt in principal(order).plan[:2]] == ["2026-11-21", "2026-11-23"]
    deduct_due(strict.realm_id, at=later)
    orders.close_days(strict.realm_id, at=later, limit=10)

    assert (principal(order).overdue_days, late_fee(order)) == (4, 50)  # the 20th's alone; it is four days late
    orders.close_days(strict.realm_id, at=MIDNIGHT + 4 * A_DAY, limit=10)
    assert late_fee(order) == 100, "from the day on which it was tried again each day costs as before"


def test_while_days_are_counted_and_nothing_is_tried_they_cost_nothing_either(strict: Shop) -> None:
    """The clerk was there, and the worker was not."""
    order = overdue(strict, "1000")
    for day in range(4):
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (4, 50)


def test_a_day_between_two_attempts_costs_as_agreed(strict: Shop) -> None:
    """The plan of the house tries on some days and not on others: what was asked for in time is late by itself."""
    order = overdue(strict, "1000")
    for day in range(6):
        deduct_due(strict.realm_id, at=MIDNIGHT + day * A_DAY - timedelta(hours=6))
        orders.close_days(strict.realm_id, at=MIDNIGHT + day * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (6, 300)


def test_what_is_caught_up_costs_what_it_would_have_in_time(strict: Shop) -> None:
    """Only the days were closed late: everything was asked for on its day."""
    order = overdue(strict, "1000")
    for day in range(6):
        deduct_due(strict.realm_id, at=MIDNIGHT + day * A_DAY - timedelta(hours=6))
    orders.close_days(strict.realm_id, at=MIDNIGHT + 5 * A_DAY, limit=10)
    assert (principal(order).overdue_days, late_fee(order)) == (6, 300)


def test_where_nothing_more_is_planned_days_cost_as_agreed(strict: Shop) -> None:
    order = overdue(strict, "1000")
    orders.replan({principal(order): []}, why="failed", at=MIDNIGHT - timedelta(hours=1))
    orders.close_days(strict.realm_id, at=MIDNIGHT + 3 * A_DAY, limit=10)
    assert late_fee(order) == 200


def test_what_is_left_to_the_persons_own_hand_is_not_asked_for_and_costs_as_agreed(strict: Shop) -> None:
    """A bank took it back: what had been planned for it before is over."""
    order = overdue(strict, "1000")
    Obligation.objects.filter(order=order).update(by_hand=True, plan=[], collect_at=None)
    orders.close_days(strict.realm_id, at=MIDNIGHT + 3 * A_DAY, limit=10)
    assert late_fee(order) == 200
