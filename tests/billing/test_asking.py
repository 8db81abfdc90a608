"""How outcomes nobody knows are asked about: pure rules."""

from datetime import timedelta

import pytest

from billing.planning import Kind
from billing.rules import ASK_WAITS, never_sent, next_ask, row_of
from tests.conftest import NOON

ONE_DAY = timedelta(days=1)


def test_an_unknown_outcome_is_asked_about_after_ever_longer_waits_that_end_at_a_day() -> None:
    waits = [next_ask(asks, at=NOON) - NOON for asks in range(8)]
    assert waits == [*ASK_WAITS, ONE_DAY, ONE_DAY, ONE_DAY]
    assert waits == sorted(waits)


@pytest.mark.parametrize(
    ("asks", "seconds", "believed"), [(1, 999, False), (2, 29, False), (2, 30, True), (3, 30, True), (0, 10**6, False)]
)
def test_not_found_is_believed_only_after_enough_asks_and_the_finality_window(
    asks: int,
    seconds: int,
    believed: bool,  # noqa: FBT001
) -> None:
    at = NOON + timedelta(seconds=seconds)
    assert never_sent(asks, 2, NOON, timedelta(seconds=30), at=at) is believed


@pytest.mark.parametrize(
    ("kinds", "count"),
    [([], 0), (["soft"], 0), (["technical", "technical", "soft", "technical"], 2), (["", "technical"], 0)],
)
def test_only_the_latest_outcomes_in_a_row_count(kinds: list[str], count: int) -> None:
    assert row_of(kinds, Kind.TECHNICAL) == count
