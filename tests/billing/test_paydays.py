"""Wages that come on a day which not every month has."""

from datetime import UTC, datetime

import pytest

from billing.planning import FailureClass, Policy, Situation, Source, attempts_after_failure


@pytest.mark.parametrize(
    ("payday", "month", "day"),
    [(31, "2026-11", "30"), (31, "2027-02", "28"), (30, "2027-02", "28"), (29, "2028-02", "29"), (31, "2026-12", "31")],
)
def test_a_payday_missing_in_a_month_is_its_last_day(payday: int, month: str, day: str) -> None:
    policy = Policy(paydays=(payday,), retry_days=(6,), payday_reach=5)
    at = datetime.fromisoformat(f"{month}-20T04:00:00").replace(tzinfo=UTC)
    now = Situation(due_at=at, at=at, zone="Asia/Shanghai", sources=(Source("a", "a"),), failed_source="a")
    assert [f"{one.at:%Y-%m-%d}" for one in attempts_after_failure(policy, FailureClass.SOFT, now)] == [
        f"{month}-{day}"
    ]
