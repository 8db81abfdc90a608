"""What a version of a retry policy would change, seen before it is published."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import to_builtins

from billing import queries
from billing.services.deduct import deduct_due
from billing.services.foresee import foresee_policy
from billing.services.plan import move_next
from billing.services.policies import publish_policy
from orders import services as orders
from orders.models import Obligation, Order
from tests.billing.bench import owed_of, sweep
from tests.conftest import BY, NOON, Shop, completed, someone, yuan
from tests.stillness import nothing_moves

DAY = timedelta(days=1)


def failed(shop: Shop) -> Order:
    """Somebody without money was asked at noon, and will be again tomorrow at ten of Shanghai's day."""
    order = completed(shop, someone(shop, "no_funds"), yuan("5"))
    deduct_due(shop.realm_id, at=NOON)
    assert owed_of(order).collect_at == datetime.fromisoformat("2026-11-21T10:00+08:00")
    return order


def seen(terms: dict[str, Any], *, at: datetime = NOON + timedelta(hours=1)) -> tuple[int, list[tuple[Any, ...]]]:
    """How many sandbox debts were looked at, and those that would move."""
    full = to_builtins(queries.policies_at(["standard"], at)["standard"]) | terms
    foresight = foresee_policy("standard", full, at, "看看", at=at)
    live, sandbox = foresight.effects
    assert (live.live, live.looked_at, sandbox.live) == (True, 0, False)
    return sandbox.looked_at, [(moved.obligation.public_id, moved.now, moved.then) for moved in sandbox.moved]


def test_the_same_terms_move_nothing(power_bank: Shop) -> None:
    failed(power_bank)
    assert seen({}) == (1, [])
    assert seen({"move_days_max": 1}) == (1, [])


def test_another_hour_moves_the_next_attempt_of_whoever_waits(power_bank: Shop) -> None:
    row = owed_of(failed(power_bank))
    completed(power_bank, someone(power_bank), yuan("1"))  # never tried: nothing was planned for it by a policy's days

    assert seen({"retry_hour": 15}) == (1, [(row.public_id, row.collect_at, row.collect_at + timedelta(hours=5))])
    assert seen({"retry_days": [3]}) == (1, [(row.public_id, row.collect_at, row.collect_at + 2 * DAY)])
    assert seen({"retry_days": []}) == (1, [(row.public_id, row.collect_at, None)])


def test_what_a_channel_failed_at_is_planned_by_its_trouble(power_bank: Shop) -> None:
    completed(power_bank, someone(power_bank, "timeout_then_not_paid"), yuan("5"))
    deduct_due(power_bank.realm_id, at=NOON)
    for seconds in (5, 35, 70, 400):
        sweep(power_bank, NOON + timedelta(seconds=seconds))
    row = Obligation.objects.get()
    assert row.plan[0]["reason"] == "channel_trouble"
    moment = datetime.fromisoformat(row.plan[0]["at"])

    (found,) = seen({"technical_minutes": [25]}, at=NOON + timedelta(seconds=500))[1]
    assert found == (row.public_id, moment, moment + timedelta(minutes=15))


def test_a_date_the_person_moved_and_a_clock_that_stands_are_left_out(power_bank: Shop) -> None:
    row, still = owed_of(failed(power_bank)), failed(power_bank)
    assert row.collect_at
    move_next(row.id, row.collect_at + DAY, at=NOON + timedelta(minutes=1))
    orders.pause_order(still.id, "hardship", by=BY, at=NOON)

    assert seen({"retry_hour": 15}) == (0, [])


def test_looking_changes_nothing_and_asks_no_more_for_more_debts(power_bank: Shop) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured, nothing_moves():
            seen({"retry_hour": 15})
        return len(captured)

    failed(power_bank)
    asked()  # what is remembered for a process is remembered now
    few = asked()
    for _ in range(5):
        failed(power_bank)
    assert asked() == few


@pytest.mark.django_db
def test_each_term_stands_beside_what_it_replaces_when_it_begins() -> None:
    publish_policy("standard", {"retry_hour": 15}, NOON + DAY, "明天起", by=BY, at=NOON)
    now = foresee_policy("standard", {"retry_hour": 15}, NOON, "x", at=NOON)
    later = foresee_policy("standard", {"retry_hour": 15}, NOON + DAY, "x", at=NOON)

    assert now.replaces
    assert later.replaces
    assert (now.replaces.version, later.replaces.version) == (1, 2)
    assert {c.name: (c.now, c.then) for c in now.changes if c.changed} == {
        "retry_hour": (10, 15),
        "paydays": ((10, 15), ()),
    }
    assert not [c for c in later.changes if c.changed]
