"""A small run of the recovery benchmark meets its claim and matches its documentation."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import holidays
import pytest

from benchmarks.bank import BankAccount
from benchmarks.population import (
    AMOUNTS,
    DAY,
    DAYS,
    DUE_DAYS,
    NEVER,
    SEGMENTS,
    STARTS,
    YUAN,
    Account,
    Population,
    Variant,
    population,
)
from benchmarks.recovery import (
    AS_PUBLISHED,
    NAIVE,
    PLAN,
    STANDARD,
    STRATEGIES,
    Figures,
    attempts_ratio,
    measure,
    meets_claim,
    recovered_ratio,
    report,
)
from benchmarks.strategies import DailyStrategy, collect
from billing import queries

PLAIN = Account(
    id="1",
    bank=0,
    opening=100,
    inflow=(0, 0, 500, *[0] * (DAYS - 3)),
    lands=12,
    spending=(40,) * DAYS,
    day_limit=0,
    refuses=frozenset(),
    dies_at=NEVER,
)


@pytest.fixture(scope="module")
def sample() -> Population:
    return population(1, 1_500)


@pytest.fixture(scope="module")
def figures() -> dict[str, Figures]:
    return measure(1, people=1_500, variant=AS_PUBLISHED, strategies={name: STRATEGIES[name] for name in (NAIVE, PLAN)})


def hour(day: int, hour: int) -> int:
    return day * DAY + hour * 60


def test_the_plan_recovers_at_least_as_much_as_a_retry_a_day_with_at_most_half_its_debits(
    figures: dict[str, Figures],
) -> None:
    assert meets_claim(figures), (recovered_ratio(figures), attempts_ratio(figures))


def test_the_policy_retries_nothing_at_night(figures: dict[str, Figures]) -> None:
    assert figures[PLAN].quiet == 0 < figures[NAIVE].quiet


def test_both_strategies_have_the_same_orders(figures: dict[str, Figures]) -> None:
    same = [(f.orders, f.owed, f.troubled, f.troubled_owed) for f in figures.values()]
    assert same[0] == same[1]
    assert all(f.attempts - f.troubled_attempts == f.orders - f.troubled for f in figures.values())


def test_the_same_seed_prints_the_same_tables_and_another_seed_others() -> None:
    def tables(seed: int) -> list[str]:
        run = measure(seed, people=60, variant=AS_PUBLISHED, strategies=STRATEGIES)
        return list(report(60, [seed], {AS_PUBLISHED.name: [run]}))

    assert tables(3) == tables(3) != tables(4)
    assert population(3, 60) == population(3, 60) != population(3, 60, Variant(payday_shift=1))


@pytest.mark.django_db
def test_the_policy_that_is_measured_is_the_last_one_published() -> None:
    assert queries.retry_policies_at(["standard"], datetime(2100, 1, 1, tzinfo=UTC)) == {"standard": STANDARD}


def test_the_population_is_made_of_its_segments(sample: Population) -> None:
    found = Counter(person.segment for person in sample.people)
    assert found == {segment.name: 15 * segment.percent for segment in SEGMENTS}
    told = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert all(f"| {segment.name} | {segment.percent} % |" in told for segment in SEGMENTS)
    for segment in SEGMENTS:
        people = [person for person in sample.people if person.segment == segment.name]
        several = sum(len(person.accounts) > 1 for person in people) / len(people)
        assert several == pytest.approx(1 - segment.instruments[1] / 100, abs=0.15)
        assert {len(person.orders) for person in people} <= set(range(segment.orders[0], segment.orders[1] + 1))


def test_orders_fall_due_all_over_the_calendar_and_are_of_the_documented_sizes(sample: Population) -> None:
    orders = [order for person in sample.people for order in person.orders]
    months = Counter(order.due // DAY // 30 for order in orders)
    assert set(months) == set(range(DUE_DAYS // 30))
    assert all(count / len(orders) == pytest.approx(1 / 3, abs=0.03) for count in months.values())
    small = sum(order.amount < 40 * YUAN for order in orders) / len(orders)
    assert small == pytest.approx(AMOUNTS[3, 40] / 100, abs=0.03)


def test_wages_come_on_working_days(sample: Population) -> None:
    calendar = holidays.country_holidays("CN", years=STARTS.year)
    paid = [person.accounts[0] for person in sample.people if person.segment == "tight" and len(person.accounts) == 1]
    days = [STARTS + timedelta(days=day) for account in paid for day, came in enumerate(account.inflow) if came]
    assert len(days) > 5 * len(paid)
    assert all(map(calendar.is_working_day, days))


def test_one_first_attempt_in_seven_fails_and_nearly_always_for_want_of_money(sample: Population) -> None:
    lives = [collect(person, sample.outages, DailyStrategy()) for person in sample.people]
    firsts = Counter(a.answer for life in lives for a in life.attempts if a.debit.reason == "due")
    failed = firsts.total() - firsts["taken"]
    assert failed / firsts.total() == pytest.approx(1 / 7, abs=0.02)
    assert firsts["no_funds"] / failed == pytest.approx(0.8, abs=0.05)
    assert set(firsts) == {"taken", "no_funds", "over_limit", "refused", "bank_down", "closed"}


def test_an_accounts_balance_follows_income_and_spending() -> None:
    till = BankAccount(PLAIN, [])
    assert till.debit(hour(0, 23), 61) == "no_funds"
    assert till.debit(hour(0, 23), 60) == "taken"  # what the owner did not spend that day
    assert till.debit(hour(2, 11), 1) == "no_funds"
    assert till.debit(hour(2, 12), 480) == "taken"  # wages are there at noon
    assert till.debit(hour(3, 12), 1) == "no_funds"


def test_a_bank_gives_a_reason_for_each_decline() -> None:
    rich = replace(PLAIN, opening=10_000)
    assert BankAccount(rich, [(hour(1, 1), hour(1, 2))]).debit(hour(1, 2), 1) == "bank_down"
    assert BankAccount(replace(rich, dies_at=hour(1, 0)), []).debit(hour(1, 0), 1) == "closed"
    assert BankAccount(replace(rich, refuses=frozenset({1})), []).debit(hour(1, 0), 1) == "refused"
    limited = BankAccount(replace(rich, day_limit=100), [])
    assert [limited.debit(hour(1, 0), 60), limited.debit(hour(1, 6), 60)] == ["taken", "over_limit"]
    assert limited.debit(hour(2, 0), 60) == "taken"
