"""What the standard plan recovers and how often it asks for it, beside a retry a day. `make bench` prints it.

The same seeds and size print the same tables. No database is needed.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median

from msgspec import convert

from benchmarks.arms import Arm, Daily, Life, Plan, collect, minutes
from benchmarks.bank import KINDS
from benchmarks.population import DAY, YUAN, Variant, population
from billing.planning import Kind, Policy

#: The standard policy as it is published, not as the code's defaults have it.
STANDARD = convert(import_module("billing.migrations.0004_standard_policy").TERMS, Policy)
NAIVE, PLAN = "daily", "standard"
ARMS: dict[str, Arm] = {
    NAIVE: Daily(),
    "daily, in turn": Daily(in_turn=True),
    "until day 30": Plan(replace(STANDARD, retry_days=(1, 2, 3, 5, 7, 10, 14, 21, 30))),
    PLAN: Plan(STANDARD),
}
AFTER_DAYS = (7, 30, 60, 90)
END = AFTER_DAYS[-1]
#: For how many of the seeds the variants are run.
SOME = 4
QUIET_FROM, QUIET_UNTIL = 22, 7
AS_PUBLISHED = Variant()
VARIANTS = (
    AS_PUBLISHED,
    Variant(name="every payday 2 days later", payday_shift=2),
    Variant(name="half of wages on no payday", without_payday=50),
    Variant(name="no paydays at all", without_payday=100),
    Variant(name="one instrument each", instruments=1),
)


@dataclass(slots=True)
class Figures:
    """What one way of collecting came to. Troubled: what a retry a day or the plan did not get at the first attempt."""

    orders: int = 0
    owed: int = 0
    collected: int = 0
    attempts: int = 0
    troubled: int = 0
    troubled_owed: int = 0
    #: Of what was troubled, by so many days after the due time.
    recovered: Counter[int] = field(default_factory=Counter)
    recovered_orders: int = 0
    paid_alone: int = 0
    troubled_attempts: int = 0
    retries: int = 0
    quiet: int = 0
    soft: int = 0
    busiest: int = 0

    def count(self, life: Life, troubled: Sequence[bool]) -> None:
        """One more person."""
        chosen = {debt for debt, is_troubled in zip(life.debts, troubled, strict=True) if is_troubled}
        for debt in life.debts:
            amount = debt.order.amount
            self.orders += 1
            self.owed += amount
            self.collected += amount if debt.paid_at else 0
            if debt not in chosen:
                continue
            self.troubled += 1
            self.troubled_owed += amount
            if debt.paid_at:
                age = minutes(debt.paid_at) - debt.order.due
                self.recovered.update({days: amount for days in AFTER_DAYS if age <= days * DAY})
                self.recovered_orders += 1
                self.paid_alone += 0 if debt.by_debit else amount
        self.attempts += len(life.attempts)
        for attempt in life.attempts:
            hour, retry = minutes(attempt.at) % DAY // 60, attempt.debit.reason != "due"
            self.retries += retry
            self.quiet += retry and not QUIET_UNTIL <= hour < QUIET_FROM
            self.soft += KINDS.get(attempt.answer) is Kind.SOFT
            self.troubled_attempts += not chosen.isdisjoint(attempt.debit.debts)
        days = Counter(attempt.day for attempt in life.attempts)
        self.busiest = max([self.busiest, *days.values()])


def measure(seed: int, *, people: int, variant: Variant, arms: Mapping[str, Arm]) -> dict[str, Figures]:
    """The same people under each way of collecting."""
    made = population(seed, people, variant)
    figures = {name: Figures() for name in arms}
    for person in made.people:
        lives = {name: collect(person, made.outages, arm) for name, arm in arms.items()}
        pairs = zip(lives[NAIVE].debts, lives[PLAN].debts, strict=True)
        troubled = [not (naive.at_first and planned.at_first) for naive, planned in pairs]
        for name, life in lives.items():
            figures[name].count(life, troubled)
    return figures


def recovered(figures: Mapping[str, Figures]) -> float:
    """What the plan recovers for each yuan that a retry a day does."""
    return figures[PLAN].recovered[END] / figures[NAIVE].recovered[END]


def asked(figures: Mapping[str, Figures]) -> float:
    """How many debits the plan asks for, for each one that a retry a day does, at what is troubled."""
    return figures[PLAN].troubled_attempts / figures[NAIVE].troubled_attempts


def holds(figures: Mapping[str, Figures]) -> bool:
    """At least as much, with at most half the debits."""
    return recovered(figures) >= 1 and asked(figures) <= 0.5


ROWS: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    ("orders", ",.0f", lambda f: f.orders),
    ("collected of what they owe, by day 90", ".2%", lambda f: f.collected / f.owed),
    ("debits asked for", ",.0f", lambda f: f.attempts),
    ("**troubled orders**", ",.0f", lambda f: f.troubled),
    ("recovered by day 7", ".1%", lambda f: f.recovered[7] / f.troubled_owed),
    ("by day 30", ".1%", lambda f: f.recovered[30] / f.troubled_owed),
    ("by day 60", ".1%", lambda f: f.recovered[60] / f.troubled_owed),
    ("**by day 90**", ".1%", lambda f: f.recovered[90] / f.troubled_owed),
    ("in yuan", ",.0f", lambda f: f.recovered[90] / YUAN),
    ("of that by the person in another way", ".1%", lambda f: f.paid_alone / f.troubled_owed),
    ("**debits asked for, the first included**", ",.0f", lambda f: f.troubled_attempts),
    ("for each order recovered", ".2f", lambda f: f.troubled_attempts / f.recovered_orders),
    ("retries", ",.0f", lambda f: f.retries),
    ("retries in quiet hours", ",.0f", lambda f: f.quiet),
    ("soft declines given to banks", ",.0f", lambda f: f.soft),
    ("most debits for one person in a day", ",.0f", lambda f: f.busiest),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def spread(values: Sequence[float], form: str) -> str:
    """The median, and between what the seeds lie."""
    low, middle, high = (format(value, form) for value in (min(values), median(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def report(people: int, seeds: Sequence[int], found: Mapping[str, Sequence[Mapping[str, Figures]]]) -> Iterator[str]:
    """The tables, as Markdown."""
    runs = found[AS_PUBLISHED.name]
    yield f"{people:,} people, seeds {seeds[0]}–{seeds[-1]}: median (lowest–highest)."
    body = [[label, *(spread([of(run[arm]) for run in runs], form) for arm in ARMS)] for label, form, of in ROWS]
    yield from table(["", *ARMS], body)
    ratios = [
        [
            str(seed),
            *(f"{run[arm].recovered[END] / YUAN:,.0f}" for arm in (NAIVE, PLAN)),
            f"{recovered(run):.3f}",
            *(f"{run[arm].troubled_attempts:,}" for arm in (NAIVE, PLAN)),
            f"{asked(run):.3f}",
            "yes" if holds(run) else "no",
        ]
        for seed, run in zip(seeds, runs, strict=True)
    ]
    yield from table(
        ["seed", f"yuan, {NAIVE}", PLAN, "ratio", f"debits, {NAIVE}", PLAN, "ratio", "≥ 1 and ≤ 0.5"], ratios
    )
    yield from table(
        ["population", "seeds", "yuan, ratio", "debits, ratio", "≥ 1 and ≤ 0.5"],
        [
            [
                name,
                str(len(runs)),
                spread([recovered(run) for run in runs], ".3f"),
                spread([asked(run) for run in runs], ".3f"),
                f"{sum(holds(run) for run in runs)} of {len(runs)}",
            ]
            for name, runs in found.items()
        ],
    )


def main() -> int:
    asks = argparse.ArgumentParser(description=__doc__)
    asks.add_argument("--seeds", type=int, default=10)
    asks.add_argument("--people", type=int, default=10_000)
    asks.add_argument("--write", type=Path, help="write the tables to this file too")
    given = asks.parse_args()
    seeds, found = range(1, given.seeds + 1), {}
    two = {name: ARMS[name] for name in (NAIVE, PLAN)}
    with ProcessPoolExecutor() as pool:
        for variant in VARIANTS:
            whole = variant == AS_PUBLISHED
            run = partial(measure, people=given.people, variant=variant, arms=ARMS if whole else two)
            found[variant.name] = list(pool.map(run, seeds if whole else seeds[:SOME]))
    text = "\n".join(report(given.people, seeds, found))
    print(text)
    if given.write:
        given.write.write_text(text + "\n", encoding="utf-8")
    return 0 if all(map(holds, found[AS_PUBLISHED.name])) else 1


if __name__ == "__main__":
    sys.exit(main())
