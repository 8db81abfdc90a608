from datetime import UTC, datetime

from billing.planning import Kind, Policy, Situation, Source, after_failure


def test_a_payday_on_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    policy = Policy(paydays=(31,), retry_days=(9,))
    at = datetime(2026, 11, 20, 4, tzinfo=UTC)
    now = Situation(due_at=at, at=at, zone="Asia/Shanghai", sources=(Source("a", "a"),), failed="a")
    assert [f"{one.at:%m-%d}" for one in after_failure(policy, Kind.SOFT, now)] == ["11-30"]
