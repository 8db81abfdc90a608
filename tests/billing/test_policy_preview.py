"""The preview of what a retry policy version would change."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import to_builtins

from billing import queries
from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from billing.services.policy_preview import preview_policy
from billing.services.retry_policies import publish_policy
from orders import services as orders
from orders.models import Obligation, Order
from tests.billing.helpers import obligation_of, run_due_deductions
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.unchanged import assert_unchanged

DAY = timedelta(days=1)


def failed(shop: Shop) -> Order:
    """An order whose deduction failed at noon; the next attempt is tomorrow at ten in Shanghai."""
    order = make_due_order(shop, make_person(shop, "no_funds"), yuan("5"))
    deduct_due(shop.realm_id, at=NOON)
    assert obligation_of(order).collect_at == datetime.fromisoformat("2026-11-21T10:00+08:00")
    return order


def preview(terms: dict[str, Any], *, at: datetime = NOON + timedelta(hours=1)) -> tuple[int, list[tuple[Any, ...]]]:
    """How many sandbox debts were examined, and those that would move."""
    full = to_builtins(queries.retry_policies_at(["standard"], at)["standard"]) | terms
    foresight = preview_policy("standard", full, at, "看看", at=at)
    live, sandbox = foresight.effects
    assert (live.live, live.looked_at, sandbox.live) == (True, 0, False)
    return sandbox.looked_at, [(moved.obligation.public_id, moved.now, moved.then) for moved in sandbox.moved]


def test_unchanged_terms_move_no_attempts(power_bank: Shop) -> None:
    failed(power_bank)
    assert preview({}) == (1, [])
    assert preview({"move_days_max": 1}) == (1, [])


def test_another_retry_hour_moves_waiting_attempts(power_bank: Shop) -> None:
    row = obligation_of(failed(power_bank))
    make_due_order(
        power_bank, make_person(power_bank), yuan("1")
    )  # never tried: nothing was planned for it by a policy's days

    assert preview({"retry_hour": 15}) == (1, [(row.public_id, row.collect_at, row.collect_at + timedelta(hours=5))])
    assert preview({"retry_days": [3]}) == (1, [(row.public_id, row.collect_at, row.collect_at + 2 * DAY)])
    assert preview({"retry_days": []}) == (1, [(row.public_id, row.collect_at, None)])


def test_technical_failures_use_the_technical_minutes(power_bank: Shop) -> None:
    make_due_order(power_bank, make_person(power_bank, "timeout_then_not_paid"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 70, 400):
        run_due_deductions(power_bank, NOON + timedelta(seconds=seconds))
    row = Obligation.objects.get()
    assert row.plan[0]["reason"] == "channel_trouble"
    moment = datetime.fromisoformat(row.plan[0]["at"])

    (found,) = preview({"technical_minutes": [25]}, at=NOON + timedelta(seconds=500))[1]
    assert found == (row.public_id, moment, moment + timedelta(minutes=15))


def test_moved_dates_and_frozen_clocks_are_left_out(power_bank: Shop) -> None:
    row, still = obligation_of(failed(power_bank)), failed(power_bank)
    assert row.collect_at
    move_next_attempt(row.id, row.collect_at + DAY, at=NOON + timedelta(minutes=1))
    orders.pause_order(still.id, "hardship", by=BY, at=NOON)

    assert preview({"retry_hour": 15}) == (0, [])


def test_a_preview_is_read_only_with_a_constant_number_of_queries(power_bank: Shop) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured, assert_unchanged():
            preview({"retry_hour": 15})
        return len(captured)

    failed(power_bank)
    asked()  # what is remembered for a process is remembered now
    few = asked()
    for _ in range(5):
        failed(power_bank)
    assert asked() == few


@pytest.mark.django_db
def test_each_term_is_compared_with_the_version_it_replaces() -> None:
    publish_policy("standard", {"retry_hour": 15}, NOON + DAY, "明天起", by=BY, at=NOON)
    now = preview_policy("standard", {"retry_hour": 15}, NOON, "x", at=NOON)
    later = preview_policy("standard", {"retry_hour": 15}, NOON + DAY, "x", at=NOON)

    assert now.replaces
    assert later.replaces
    assert (now.replaces.version, later.replaces.version) == (1, 2)
    assert {c.name: (c.now, c.then) for c in now.changes if c.changed} == {
        "retry_hour": (10, 15),
        "paydays": ((10, 15), ()),
    }
    assert not [c for c in later.changes if c.changed]
