"""When unknown outcomes are polled: pure rules."""

from datetime import timedelta

import pytest

from billing.planning import FailureClass
from billing.rules import QUERY_DELAYS, is_not_sent, next_query_at, streak_length
from tests.conftest import NOON

ONE_DAY = timedelta(days=1)


def test_unknown_outcomes_are_polled_with_growing_waits_up_to_a_day() -> None:
    waits = [next_query_at(asks, at=NOON) - NOON for asks in range(8)]
    assert waits == [*QUERY_DELAYS, ONE_DAY, ONE_DAY, ONE_DAY]
    assert waits == sorted(waits)


@pytest.mark.parametrize(
    ("asks", "seconds", "believed"), [(1, 999, False), (2, 29, False), (2, 30, True), (3, 30, True), (0, 10**6, False)]
)
def test_not_found_is_final_only_after_enough_queries_and_the_finality_window(
    asks: int,
    seconds: int,
    believed: bool,  # noqa: FBT001
) -> None:
    at = NOON + timedelta(seconds=seconds)
    assert is_not_sent(asks, 2, NOON, timedelta(seconds=30), at=at) is believed


@pytest.mark.parametrize(
    ("kinds", "count"),
    [([], 0), (["soft"], 0), (["technical", "technical", "soft", "technical"], 2), (["", "technical"], 0)],
)
def test_only_the_latest_outcomes_in_a_row_count(kinds: list[str], count: int) -> None:
    assert streak_length(kinds, FailureClass.TECHNICAL) == count
