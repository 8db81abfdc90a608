"""When money is asked for again, and from what: pure rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.planning import (
    Kind,
    Planned,
    Policy,
    Situation,
    Source,
    Tried,
    after_failure,
    allowed,
    awake,
    may_move,
    next_allowed,
)
from tests.conftest import NOON

SHANGHAI, NEW_YORK, LONDON = "Asia/Shanghai", "America/New_York", "Europe/London"
ZONES = st.sampled_from([SHANGHAI, NEW_YORK, LONDON, "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


PLAIN = Policy(switch_on_soft=False)
CARD, SAVINGS = Source("c", "卡"), Source("s", "储蓄")
HERE = Situation(due_at=NOON, at=NOON, zone=SHANGHAI, sources=(CARD, SAVINGS), failed="c", troubles=1)
ALONE = replace(HERE, sources=(CARD,))


def plan(kind: Kind, policy: Policy = PLAIN, **other: Any) -> list[Planned]:
    return after_failure(policy, kind, replace(HERE, **other))


def reasons(planned: list[Planned]) -> list[str]:
    return [attempt.reason for attempt in planned]


@given(MOMENTS, ZONES)
def test_nobody_is_woken_and_nothing_waits_longer_than_the_night(moment: datetime, zone: str) -> None:
    then = awake(PLAIN, moment, zone)
    local = then.astimezone(ZoneInfo(zone)).time()

    assert PLAIN.quiet_until <= local.hour < PLAIN.quiet_from
    assert timedelta(0) <= then - moment <= timedelta(hours=10)
    assert then.utcoffset() == timedelta(0)
    assert awake(PLAIN, then, zone) == then


@pytest.mark.parametrize(
    ("zone", "local", "wakes"),
    [
        (SHANGHAI, datetime(2026, 11, 20, 21, 59, 59), datetime(2026, 11, 20, 21, 59, 59)),
        (SHANGHAI, datetime(2026, 11, 20, 22, 0), datetime(2026, 11, 21, 7, 0)),
        (SHANGHAI, datetime(2026, 11, 21, 6, 59, 59), datetime(2026, 11, 21, 7, 0)),
        (SHANGHAI, datetime(2026, 11, 21, 7, 0), datetime(2026, 11, 21, 7, 0)),
        (NEW_YORK, datetime(2026, 3, 7, 23, 0), datetime(2026, 3, 8, 7, 0)),  # the night that is an hour short
        (NEW_YORK, datetime(2026, 10, 31, 23, 0), datetime(2026, 11, 1, 7, 0)),  # the night that is an hour long
        (LONDON, datetime(2026, 12, 31, 22, 0), datetime(2027, 1, 1, 7, 0)),
        (LONDON, datetime(2028, 2, 28, 23, 59), datetime(2028, 2, 29, 7, 0)),
    ],
)
def test_quiet_hours_are_those_of_the_persons_own_night(zone: str, local: datetime, wakes: datetime) -> None:
    there = ZoneInfo(zone)
    assert awake(PLAIN, local.replace(tzinfo=there).astimezone(UTC), zone) == wakes.replace(tzinfo=there)


@given(MOMENTS, ZONES)
def test_a_soft_decline_is_tried_again_on_the_plans_mornings_of_the_persons_own_days(due: datetime, zone: str) -> None:
    attempts = plan(Kind.SOFT, due_at=due, at=due, zone=zone)
    local = [attempt.at.astimezone(ZoneInfo(zone)) for attempt in attempts]
    first = due.astimezone(ZoneInfo(zone)).date()

    assert {moment.time() for moment in local} == {time(10)}
    assert [(moment.date() - first).days for moment in local] == list(PLAIN.retry_days)
    assert reasons(attempts) == [f"retry_{day}d" for day in PLAIN.retry_days]


def test_what_is_past_is_not_planned_again() -> None:
    at = NOON + timedelta(days=7)
    assert reasons(plan(Kind.SOFT, at=at)) == [f"retry_{day}d" for day in (10, 14, 21, 30, 45, 60, 75, 90)]
    last = plan(Kind.SOFT)[-1].at
    assert plan(Kind.SOFT, at=last) == []
    assert plan(Kind.SOFT, at=last - timedelta(microseconds=1))[0].at == last


def test_nothing_to_take_from_means_nothing_planned() -> None:
    assert [plan(kind, sources=()) for kind in Kind] == [[]] * len(Kind)


def test_a_hard_decline_goes_on_at_once_from_the_next_instrument_and_then_as_the_plan_has_it() -> None:
    another = plan(Kind.HARD, sources=(SAVINGS,))
    assert (another[0].at, another[0].source, another[0].reason) == (NOON, SAVINGS, "next_instrument")
    assert {attempt.source for attempt in another} == {SAVINGS}


def test_a_soft_decline_may_go_on_from_the_next_instrument_the_same_day() -> None:
    switching = plan(Kind.SOFT, Policy())
    assert [(a.source, a.reason) for a in switching[:2]] == [(SAVINGS, "next_instrument"), (CARD, "retry_1d")]
    assert reasons(after_failure(Policy(), Kind.SOFT, ALONE))[0] == "retry_1d"


@pytest.mark.parametrize("kind", [Kind.TECHNICAL, Kind.NOT_SENT])
def test_the_channels_own_trouble_is_tried_again_soon_then_later_then_as_the_plan_has_it(kind: Kind) -> None:
    firsts = [plan(kind, troubles=row)[0] for row in (1, 2, 3)]

    assert [first.at for first in firsts] == [NOON + timedelta(minutes=m) for m in PLAIN.technical_minutes]
    assert {(first.source, first.reason) for first in firsts} == {(CARD, "channel_trouble")}
    assert plan(kind, troubles=4) == plan(Kind.SOFT)


def test_trouble_in_the_evening_is_slept_on() -> None:
    evening = NOON.replace(hour=13, minute=55)  # 21:55 in Shanghai
    assert plan(Kind.TECHNICAL, at=evening)[0].at == NOON.replace(hour=23)
    assert plan(Kind.HARD, at=evening + timedelta(minutes=5))[0].at == NOON.replace(hour=23)


def test_one_instrument_is_asked_once_a_day_and_fifteen_times_in_thirty_days() -> None:
    tomorrow = plan(Kind.SOFT)[0].at
    spent = tuple(Tried("c", tomorrow + timedelta(minutes=m)) for m in (30,))
    assert reasons(plan(Kind.SOFT, tried=spent))[0] == "retry_3d"

    often = Policy(retry_days=tuple(range(1, 60)), switch_on_soft=False)
    attempts = plan(Kind.SOFT, often)
    first_month = [a for a in attempts if a.at < NOON + timedelta(days=30)]
    assert len(first_month) == often.instrument_in_30_days
    busy = Policy(retry_days=(1, 1), person_a_day=1, switch_on_soft=False)
    assert plan(Kind.SOFT, busy, tried=(Tried("s", tomorrow),)) == []


def test_a_retry_shortly_before_a_payday_waits_for_it() -> None:
    policy = Policy(retry_days=(1, 2, 3, 4, 5), paydays=(25,), switch_on_soft=False)
    days = [attempt.at.astimezone(ZoneInfo(SHANGHAI)).day for attempt in plan(Kind.SOFT, policy)]
    assert days == [21, 22, 25]  # the 23rd and 24th wait, and one day is one attempt


def test_working_days_are_those_of_the_calendar_with_its_holidays_and_worked_weekends() -> None:
    before = datetime(2026, 9, 30, 4, tzinfo=UTC)
    policy = Policy(retry_days=(1, 9, 10), business_days_of="CN", switch_on_soft=False)
    days = [attempt.at.date() for attempt in plan(Kind.SOFT, policy, due_at=before, at=before)]
    assert days == [date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 10)]


def test_a_retry_is_not_made_at_night_nor_beyond_a_cap_but_put_off() -> None:
    night = NOON.replace(hour=15)  # 23:00 in Shanghai
    assert not allowed(PLAIN, "c", night, zone=SHANGHAI, tried=())
    assert next_allowed(PLAIN, "c", night, zone=SHANGHAI, tried=()) == NOON.replace(hour=23)
    assert allowed(PLAIN, "c", NOON, zone=SHANGHAI, tried=())
    spent = (Tried("c", NOON - timedelta(hours=1)),)
    assert not allowed(PLAIN, "c", NOON, zone=SHANGHAI, tried=spent)
    assert next_allowed(PLAIN, "c", NOON, zone=SHANGHAI, tried=spent) == (NOON + timedelta(days=1)).replace(hour=2)


def test_a_planned_date_moves_later_and_not_too_far() -> None:
    planned = [NOON + timedelta(days=1)]
    assert may_move(PLAIN, planned, planned[0] + timedelta(days=7), at=NOON)
    assert not may_move(PLAIN, planned, planned[0] + timedelta(days=7, seconds=1), at=NOON)
    assert not may_move(PLAIN, planned, planned[0], at=NOON)
    assert not may_move(PLAIN, [], NOON + timedelta(days=1), at=NOON)


@given(
    st.builds(
        Situation,
        due_at=MOMENTS,
        at=MOMENTS,
        zone=ZONES,
        sources=st.sampled_from([(), (CARD,), (CARD, SAVINGS)]),
        failed=st.sampled_from(["c", "s"]),
        troubles=st.integers(0, 5),
    ),
    st.sampled_from(Kind),
    st.sampled_from([PLAIN, Policy(), Policy(paydays=(10, 15), business_days_of="CN")]),
)
def test_whatever_failed_what_comes_next_lies_ahead_in_order_awake_and_within_the_caps(
    now: Situation, kind: Kind, policy: Policy
) -> None:
    attempts = after_failure(policy, kind, now)
    moments = [attempt.at for attempt in attempts]

    assert moments == sorted(set(moments))
    assert all(at >= now.at and awake(policy, at, now.zone) == at for at in moments)
    assert all(attempt.source in now.sources for attempt in attempts)
    counted = [a for a in attempts if a.reason != "channel_trouble"]
    days = [(a.source.id, a.at.astimezone(ZoneInfo(now.zone)).date()) for a in counted]
    assert len(days) == len(set(days))


def test_an_attempt_is_written_plainly() -> None:
    assert Planned(NOON, CARD, "due").plain() == {
        "at": NOON.isoformat(),
        "instrument": "卡",
        "source": "c",
        "reason": "due",
    }
