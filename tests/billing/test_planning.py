"""When and from which instrument a failed deduction is retried: pure rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.planning import (
    FailureClass,
    PastRetry,
    PlannedAttempt,
    Policy,
    Situation,
    Source,
    after_quiet_hours,
    attempts_after_failure,
    can_move,
    is_retry_allowed,
    next_allowed_time,
)
from tests.conftest import NOON

SHANGHAI, NEW_YORK, LONDON = "Asia/Shanghai", "America/New_York", "Europe/London"
ZONES = st.sampled_from([SHANGHAI, NEW_YORK, LONDON, "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


PLAIN = Policy(switch_on_soft=False)
CARD, SAVINGS = Source("c", "卡"), Source("s", "储蓄")
HERE = Situation(due_at=NOON, at=NOON, zone=SHANGHAI, sources=(CARD, SAVINGS), failed_source="c", technical_failures=1)
ALONE = replace(HERE, sources=(CARD,))


def plan(kind: FailureClass, policy: Policy = PLAIN, **other: Any) -> list[PlannedAttempt]:
    return attempts_after_failure(policy, kind, replace(HERE, **other))


def reasons(planned: list[PlannedAttempt]) -> list[str]:
    return [attempt.reason for attempt in planned]


@given(MOMENTS, ZONES)
def test_attempts_in_quiet_hours_wait_for_their_end(moment: datetime, zone: str) -> None:
    then = after_quiet_hours(PLAIN, moment, zone)
    local = then.astimezone(ZoneInfo(zone)).time()

    assert PLAIN.quiet_until <= local.hour < PLAIN.quiet_from
    assert timedelta(0) <= then - moment <= timedelta(hours=10)
    assert then.utcoffset() == timedelta(0)
    assert after_quiet_hours(PLAIN, then, zone) == then


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
def test_quiet_hours_are_in_the_persons_time_zone(zone: str, local: datetime, wakes: datetime) -> None:
    there = ZoneInfo(zone)
    assert after_quiet_hours(PLAIN, local.replace(tzinfo=there).astimezone(UTC), zone) == wakes.replace(tzinfo=there)


@given(MOMENTS, ZONES)
def test_a_soft_decline_is_retried_on_the_policys_days_in_local_time(due: datetime, zone: str) -> None:
    attempts = plan(FailureClass.SOFT, due_at=due, at=due, zone=zone)
    local = [attempt.at.astimezone(ZoneInfo(zone)) for attempt in attempts]
    first = due.astimezone(ZoneInfo(zone)).date()

    assert {moment.time() for moment in local} == {time(10)}
    assert [(moment.date() - first).days for moment in local] == list(PLAIN.retry_days)
    assert reasons(attempts) == [f"retry_{day}d" for day in PLAIN.retry_days]


def test_past_retry_days_are_not_planned() -> None:
    at = NOON + timedelta(days=7)
    assert reasons(plan(FailureClass.SOFT, at=at)) == [f"retry_{day}d" for day in (10, 14, 21, 30, 45, 60, 75, 90)]
    last = plan(FailureClass.SOFT)[-1].at
    assert plan(FailureClass.SOFT, at=last) == []
    assert plan(FailureClass.SOFT, at=last - timedelta(microseconds=1))[0].at == last


def test_without_instruments_nothing_is_planned() -> None:
    assert [plan(kind, sources=()) for kind in FailureClass] == [[]] * len(FailureClass)


def test_a_hard_decline_switches_instruments_at_once() -> None:
    another = plan(FailureClass.HARD, sources=(SAVINGS,))
    assert (another[0].at, another[0].source, another[0].reason) == (NOON, SAVINGS, "next_instrument")
    assert {attempt.source for attempt in another} == {SAVINGS}


def test_a_soft_decline_may_switch_instruments_the_same_day() -> None:
    switching = plan(FailureClass.SOFT, Policy())
    assert [(a.source, a.reason) for a in switching[:2]] == [(SAVINGS, "next_instrument"), (CARD, "retry_1d")]
    assert reasons(attempts_after_failure(Policy(), FailureClass.SOFT, ALONE))[0] == "retry_1d"


@pytest.mark.parametrize("kind", [FailureClass.TECHNICAL, FailureClass.NOT_SENT])
def test_technical_failures_are_retried_after_growing_waits(kind: FailureClass) -> None:
    firsts = [plan(kind, technical_failures=row)[0] for row in (1, 2, 3)]

    assert [first.at for first in firsts] == [NOON + timedelta(minutes=m) for m in PLAIN.technical_minutes]
    assert {(first.source, first.reason) for first in firsts} == {(CARD, "channel_trouble")}
    assert plan(kind, technical_failures=4) == plan(FailureClass.SOFT)


def test_a_technical_retry_in_quiet_hours_waits_for_the_morning() -> None:
    evening = NOON.replace(hour=13, minute=55)  # 21:55 in Shanghai
    assert plan(FailureClass.TECHNICAL, at=evening)[0].at == NOON.replace(hour=23)
    assert plan(FailureClass.HARD, at=evening + timedelta(minutes=5))[0].at == NOON.replace(hour=23)


def test_caps_allow_one_retry_a_day_and_fifteen_in_thirty_days() -> None:
    tomorrow = plan(FailureClass.SOFT)[0].at
    spent = tuple(PastRetry("c", tomorrow + timedelta(minutes=m)) for m in (30,))
    assert reasons(plan(FailureClass.SOFT, past_retries=spent))[0] == "retry_3d"

    often = Policy(retry_days=tuple(range(1, 60)), switch_on_soft=False)
    attempts = plan(FailureClass.SOFT, often)
    first_month = [a for a in attempts if a.at < NOON + timedelta(days=30)]
    assert len(first_month) == often.instrument_in_30_days
    busy = Policy(retry_days=(1, 1), person_a_day=1, switch_on_soft=False)
    assert plan(FailureClass.SOFT, busy, past_retries=(PastRetry("s", tomorrow),)) == []


def test_a_retry_shortly_before_a_payday_moves_to_it() -> None:
    policy = Policy(retry_days=(1, 2, 3, 4, 5), paydays=(25,), switch_on_soft=False)
    days = [attempt.at.astimezone(ZoneInfo(SHANGHAI)).day for attempt in plan(FailureClass.SOFT, policy)]
    assert days == [21, 22, 25]  # the 23rd and 24th wait, and one day is one attempt


def test_working_days_include_holidays_and_worked_weekends() -> None:
    before = datetime(2026, 9, 30, 4, tzinfo=UTC)
    policy = Policy(retry_days=(1, 9, 10), business_days_of="CN", switch_on_soft=False)
    days = [attempt.at.date() for attempt in plan(FailureClass.SOFT, policy, due_at=before, at=before)]
    assert days == [date(2026, 10, 8), date(2026, 10, 9), date(2026, 10, 10)]


def test_a_retry_in_quiet_hours_or_beyond_a_cap_is_postponed() -> None:
    night = NOON.replace(hour=15)  # 23:00 in Shanghai
    assert not is_retry_allowed(PLAIN, "c", night, zone=SHANGHAI, past_retries=())
    assert next_allowed_time(PLAIN, "c", night, zone=SHANGHAI, past_retries=()) == NOON.replace(hour=23)
    assert is_retry_allowed(PLAIN, "c", NOON, zone=SHANGHAI, past_retries=())
    spent = (PastRetry("c", NOON - timedelta(hours=1)),)
    assert not is_retry_allowed(PLAIN, "c", NOON, zone=SHANGHAI, past_retries=spent)
    assert next_allowed_time(PLAIN, "c", NOON, zone=SHANGHAI, past_retries=spent) == (NOON + timedelta(days=1)).replace(
        hour=2
    )


def test_a_planned_date_moves_later_within_the_limit() -> None:
    planned = [NOON + timedelta(days=1)]
    assert can_move(PLAIN, planned, planned[0] + timedelta(days=7), at=NOON)
    assert not can_move(PLAIN, planned, planned[0] + timedelta(days=7, seconds=1), at=NOON)
    assert not can_move(PLAIN, planned, planned[0], at=NOON)
    assert not can_move(PLAIN, [], NOON + timedelta(days=1), at=NOON)


@given(
    st.builds(
        Situation,
        due_at=MOMENTS,
        at=MOMENTS,
        zone=ZONES,
        sources=st.sampled_from([(), (CARD,), (CARD, SAVINGS)]),
        failed_source=st.sampled_from(["c", "s"]),
        technical_failures=st.integers(0, 5),
    ),
    st.sampled_from(FailureClass),
    st.sampled_from([PLAIN, Policy(), Policy(paydays=(10, 15), business_days_of="CN")]),
)
def test_plans_are_ordered_outside_quiet_hours_and_within_caps(
    now: Situation, kind: FailureClass, policy: Policy
) -> None:
    attempts = attempts_after_failure(policy, kind, now)
    moments = [attempt.at for attempt in attempts]

    assert moments == sorted(set(moments))
    assert all(at >= now.at and after_quiet_hours(policy, at, now.zone) == at for at in moments)
    assert all(attempt.source in now.sources for attempt in attempts)
    counted = [a for a in attempts if a.reason != "channel_trouble"]
    days = [(a.source.id, a.at.astimezone(ZoneInfo(now.zone)).date()) for a in counted]
    assert len(days) == len(set(days))


def test_an_attempt_as_json() -> None:
    assert PlannedAttempt(NOON, CARD, "due").to_json() == {
        "at": NOON.isoformat(),
        "instrument": "卡",
        "source": "c",
        "reason": "due",
    }
