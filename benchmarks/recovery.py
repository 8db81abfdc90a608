"""What the standard retry policy recovers and how many attempts it makes, beside a retry a day. `make bench`.

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

from benchmarks.bank import KINDS
from benchmarks.population import DAY, YUAN, Variant, population
from benchmarks.strategies import CollectionRun, CollectionStrategy, DailyStrategy, PolicyStrategy, collect, to_minutes
from billing.planning import FailureClass, Policy

#: The standard policy as published by the migration, not the code's defaults.
STANDARD = convert(import_module("billing.migrations.0004_standard_policy").TERMS, Policy)
NAIVE, PLAN = "daily", "standard"
STRATEGIES: dict[str, CollectionStrategy] = {
    NAIVE: DailyStrategy(),
    "daily, in turn": DailyStrategy(in_turn=True),
    "until day 30": PolicyStrategy(replace(STANDARD, retry_days=(1, 2, 3, 5, 7, 10, 14, 21, 30))),
    PLAN: PolicyStrategy(STANDARD),
}
AFTER_DAYS = (7, 30, 60, 90)
END = AFTER_DAYS[-1]
#: The number of seeds that are run with the variants.
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
    """The results of one strategy. Troubled orders are those not collected by both strategies at the first attempt."""

    orders: int = 0
    owed: int = 0
    collected: int = 0
    attempts: int = 0
    troubled: int = 0
    troubled_owed: int = 0
    #: Recovered of the troubled amounts, by days after the due time.
    recovered: Counter[int] = field(default_factory=Counter)
    recovered_orders: int = 0
    paid_alone: int = 0
    troubled_attempts: int = 0
    retries: int = 0
    quiet: int = 0
    soft: int = 0
    busiest: int = 0

    def count(self, collection_run: CollectionRun, troubled: Sequence[bool]) -> None:
        """Add the results of one person."""
        chosen = {debt for debt, is_troubled in zip(collection_run.debts, troubled, strict=True) if is_troubled}
        for debt in collection_run.debts:
            amount = debt.order.amount
            self.orders += 1
            self.owed += amount
            self.collected += amount if debt.paid_at else 0
            if debt not in chosen:
                continue
            self.troubled += 1
            self.troubled_owed += amount
            if debt.paid_at:
                age = to_minutes(debt.paid_at) - debt.order.due
                self.recovered.update({days: amount for days in AFTER_DAYS if age <= days * DAY})
                self.recovered_orders += 1
                self.paid_alone += 0 if debt.by_debit else amount
        self.attempts += len(collection_run.attempts)
        for attempt in collection_run.attempts:
            hour, retry = to_minutes(attempt.at) % DAY // 60, attempt.debit.reason != "due"
            self.retries += retry
            self.quiet += retry and not QUIET_UNTIL <= hour < QUIET_FROM
            self.soft += KINDS.get(attempt.answer) is FailureClass.SOFT
            self.troubled_attempts += not chosen.isdisjoint(attempt.debit.debts)
        days = Counter(attempt.day for attempt in collection_run.attempts)
        self.busiest = max([self.busiest, *days.values()])


def measure(
    seed: int, *, people: int, variant: Variant, strategies: Mapping[str, CollectionStrategy]
) -> dict[str, Figures]:
    """Run the same people under each strategy."""
    sample = population(seed, people, variant)
    figures = {name: Figures() for name in strategies}
    for person in sample.people:
        runs_by_name = {name: collect(person, sample.outages, strategy) for name, strategy in strategies.items()}
        pairs = zip(runs_by_name[NAIVE].debts, runs_by_name[PLAN].debts, strict=True)
        troubled = [not (naive.paid_at_first_attempt and planned.paid_at_first_attempt) for naive, planned in pairs]
        for name, collection_run in runs_by_name.items():
            figures[name].count(collection_run, troubled)
    return figures


def recovered_ratio(figures: Mapping[str, Figures]) -> float:
    """The amount the standard policy recovers, relative to a retry a day."""
    return figures[PLAN].recovered[END] / figures[NAIVE].recovered[END]


def attempts_ratio(figures: Mapping[str, Figures]) -> float:
    """The standard policy's attempts at troubled orders, relative to a retry a day."""
    return figures[PLAN].troubled_attempts / figures[NAIVE].troubled_attempts


def meets_claim(figures: Mapping[str, Figures]) -> bool:
    """Whether it recovers at least as much with at most half the attempts."""
    return recovered_ratio(figures) >= 1 and attempts_ratio(figures) <= 0.5


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
    """The median, and the lowest and highest value of the seeds."""
    low, median_measurement, high = (format(value, form) for value in (min(values), median(values), max(values)))
    return median_measurement if low == high else f"{median_measurement} ({low}–{high})"


def report(people: int, seeds: Sequence[int], found: Mapping[str, Sequence[Mapping[str, Figures]]]) -> Iterator[str]:
    """The tables, as Markdown."""
    runs = found[AS_PUBLISHED.name]
    yield f"{people:,} people, seeds {seeds[0]}–{seeds[-1]}: median (lowest–highest)."
    body = [
        [label, *(spread([of(run[strategy]) for run in runs], form) for strategy in STRATEGIES)]
        for label, form, of in ROWS
    ]
    yield from table(["", *STRATEGIES], body)
    ratios = [
        [
            str(seed),
            *(f"{run[strategy].recovered[END] / YUAN:,.0f}" for strategy in (NAIVE, PLAN)),
            f"{recovered_ratio(run):.3f}",
            *(f"{run[strategy].troubled_attempts:,}" for strategy in (NAIVE, PLAN)),
            f"{attempts_ratio(run):.3f}",
            "yes" if meets_claim(run) else "no",
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
                spread([recovered_ratio(run) for run in runs], ".3f"),
                spread([attempts_ratio(run) for run in runs], ".3f"),
                f"{sum(meets_claim(run) for run in runs)} of {len(runs)}",
            ]
            for name, runs in found.items()
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--write", type=Path, help="write the tables to this file too")
    args = parser.parse_args()
    seeds, found = range(1, args.seeds + 1), {}
    compared = {name: STRATEGIES[name] for name in (NAIVE, PLAN)}
    with ProcessPoolExecutor() as pool:
        for variant in VARIANTS:
            is_full = variant == AS_PUBLISHED
            run = partial(measure, people=args.people, variant=variant, strategies=STRATEGIES if is_full else compared)
            found[variant.name] = list(pool.map(run, seeds if is_full else seeds[:SOME]))
    text = "\n".join(report(args.people, seeds, found))
    print(text)
    if args.write:
        args.write.write_text(text + "\n", encoding="utf-8")
    return 0 if all(map(meets_claim, found[AS_PUBLISHED.name])) else 1


if __name__ == "__main__":
    sys.exit(main())
