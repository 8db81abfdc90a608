"""A synthetic population: people, their accounts, what they owe and when. Pure, and reproducible from a seed.

`benchmarks/README.md` describes it and the public facts it is based on; all numbers are here, so that this file alone
defines what a seed means. Money is in whole fen, time in whole minutes since `EPOCH`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

import holidays

T = TypeVar("T")
ZONE = "Asia/Shanghai"
STARTS = date(2026, 3, 1)
EPOCH = datetime(STARTS.year, STARTS.month, STARTS.day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
#: Orders fall due in the first 90 days, and each is followed for 90 more.
DUE_DAYS, HORIZON_DAYS = 90, 90
DAYS = DUE_DAYS + HORIZON_DAYS + 1
DAY = 24 * 60
MONTH = 30
YUAN = 100
#: A minute after everything else.
NEVER = 10**9

#: Weights of paydays by day of the month; 0 is its last day.
PAYDAYS = {5: 14, 8: 5, 10: 24, 12: 4, 15: 24, 18: 3, 20: 7, 25: 8, 28: 3, 0: 8}
#: Weights of order amounts in yuan: a ride or a power bank, a purchase, a rental.
AMOUNTS = {(3, 40): 50, (40, 300): 36, (300, 1500): 14}
#: Weights of the hour at which an order is completed and falls due.
DUE_HOURS = dict(enumerate([2, 1, 1, 1, 1, 1, 2, 4, 5, 4, 4, 5, 6, 5, 4, 4, 5, 6, 7, 8, 8, 7, 6, 3]))
#: Days after the due day on which reminders of an unpaid debt are sent.
REMINDER_DAYS = (4, 6, 10, 18, 33)
BANKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A kind of household. Values are drawn uniformly from ranges."""

    name: str
    percent: int
    #: `monthly` on a payday, an `allowance` in the first days of a month, `often` (every few days), or `never`.
    paid: str
    #: Yuan a month, the share of it that is spent, and months of spending in the account at the start.
    income: tuple[int, int]
    spends: tuple[float, float]
    cushion: tuple[float, float]
    orders: tuple[int, int]
    #: Percent of people by number of instruments.
    instruments: dict[int, int]
    #: Percent of unpaid orders paid in another way after a reminder, and of instruments that become unusable.
    pays_alone: int
    dies: int


SEGMENTS = (
    Segment(
        name="steady", percent=57, paid="monthly", income=(6_000, 20_000), spends=(0.70, 0.95), cushion=(0.8, 4.0),
        orders=(2, 6), instruments={1: 35, 2: 45, 3: 20}, pays_alone=45, dies=2,
    ),
    Segment(
        name="tight", percent=21, paid="monthly", income=(4_000, 9_000), spends=(1.00, 1.25), cushion=(0.0, 0.5),
        orders=(2, 6), instruments={1: 50, 2: 38, 3: 12}, pays_alone=25, dies=4,
    ),
    Segment(
        name="gig", percent=12, paid="often", income=(3_000, 8_000), spends=(0.95, 1.15), cushion=(0.0, 0.2),
        orders=(2, 6), instruments={1: 50, 2: 40, 3: 10}, pays_alone=25, dies=4,
    ),
    Segment(
        name="student", percent=5, paid="allowance", income=(1_200, 2_500), spends=(0.95, 1.15), cushion=(0.0, 0.4),
        orders=(1, 4), instruments={1: 60, 2: 32, 3: 8}, pays_alone=30, dies=3,
    ),
    Segment(
        name="broke", percent=3, paid="often", income=(800, 2_500), spends=(1.20, 1.80), cushion=(0.0, 0.0),
        orders=(1, 2), instruments={1: 70, 2: 25, 3: 5}, pays_alone=8, dies=10,
    ),
    Segment(
        name="gone", percent=2, paid="never", income=(0, 0), spends=(1.00, 1.00), cushion=(0.0, 0.0),
        orders=(1, 1), instruments={1: 65, 2: 30, 3: 5}, pays_alone=0, dies=40,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variation of the population, to see whether a result depends on it."""

    name: str = "as published"
    #: Days by which paydays are later, and percent of wage earners who are paid every few days instead.
    payday_shift: int = 0
    without_payday: int = 0
    #: How many instruments a person has at most.
    instruments: int = 3


@dataclass(frozen=True, slots=True)
class Account:
    """An instrument and the money behind it, day by day, without debits."""

    id: str
    bank: int
    opening: int
    #: Income by day, the hour at which it arrives, and intended spending by day.
    inflow: tuple[int, ...]
    lands: int
    spending: tuple[int, ...]
    #: The daily limit; 0 without one.
    day_limit: int
    #: Days on which the bank declines debits for other reasons.
    refuses: frozenset[int]
    #: The minute from which the account is closed or the mandate revoked.
    dies_at: int


@dataclass(frozen=True, slots=True)
class Order:
    """A debt, its due time, and when its person would pay it in another way if it was still unpaid."""

    due: int
    amount: int
    alone: int


@dataclass(frozen=True, slots=True)
class Person:
    segment: str
    #: In the person's order of priority.
    accounts: tuple[Account, ...]
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Population:
    people: tuple[Person, ...]
    #: Each bank's outages: first and last minute, in order.
    outages: tuple[tuple[tuple[int, int], ...], ...]


def population(seed: int, people: int, variant: Variant | None = None) -> Population:
    """Generate people, reproducibly from seed, size and variant. The segments' shares are exact up to rounding."""
    rng, variant = Random(seed), variant or Variant()
    outages = tuple(tuple(_outages(rng)) for _bank in range(BANKS))
    bounds = [round(people * sum(s.percent for s in SEGMENTS[:i]) / 100) for i in range(len(SEGMENTS) + 1)]
    counts = [(segment, bounds[i + 1] - bounds[i]) for i, segment in enumerate(SEGMENTS)]
    made = [_person(rng, segment, variant) for segment, count in counts for _ in range(count)]
    return Population(tuple(made), outages)


def _person(rng: Random, segment: Segment, variant: Variant) -> Person:
    income = rng.randint(*segment.income) * YUAN
    days = _income_days(rng, segment, variant)
    number = min(_weighted_choice(rng, segment.instruments), variant.instruments)
    others = rng.sample(("savings", "credit", "wallet"), number - 1)
    roles = ["current", *others]
    if rng.random() < 0.2:
        roles.reverse()
    accounts = [
        _account(rng, str(place), role, segment, income=income, days=days) for place, role in enumerate(roles, start=1)
    ]
    due = sorted(rng.randrange(DUE_DAYS) for _ in range(rng.randint(*segment.orders)))
    most = max(income // 6, 100 * YUAN)
    return Person(segment.name, tuple(accounts), tuple(_order(rng, segment, day, most) for day in due))


def _order(rng: Random, segment: Segment, day: int, most: int) -> Order:
    low, high = _weighted_choice(rng, AMOUNTS)
    due = day * DAY + _weighted_choice(rng, DUE_HOURS) * 60 + rng.randrange(60)
    alone = rng.random() * 100 < segment.pays_alone
    # Each reminder reaches half of those whom the earlier ones did not; they act within the day after it.
    stage = min(int(math.log2(1 / (1 - rng.random()))), len(REMINDER_DAYS) - 1)
    when = due + REMINDER_DAYS[stage] * DAY + rng.randrange(DAY)
    return Order(due, min(rng.randint(low * YUAN, high * YUAN), most), when if alone else NEVER)


def _income_days(rng: Random, segment: Segment, variant: Variant) -> dict[int, float]:
    """The days with income, and the share of a month's income on each."""
    if segment.paid == "never":
        return {}
    if segment.paid == "often" or rng.random() * 100 < variant.without_payday:
        return _irregular_income(rng)
    of_month = rng.randint(1, 5) if segment.paid == "allowance" else _weighted_choice(rng, PAYDAYS)
    days = (day + variant.payday_shift for day in _paydays(of_month))
    return {day: 1.0 for day in days if 0 <= day < DAYS}


def _irregular_income(rng: Random) -> dict[int, float]:
    """Irregular income every few days, as of gig workers."""
    days, day = {}, rng.randrange(7)
    while day < DAYS:
        gap = rng.choice((1, 2, 3, 4, 7, 10))
        days[day] = gap / MONTH * (0.4 + 1.2 * rng.random())
        day += gap
    return days


def _paydays(of_month: int) -> Iterator[int]:
    """Each month's payday, moved to the last working day before it if needed, as the law requires."""
    for month in range(STARTS.month, STARTS.month + DAYS // MONTH + 1):
        first = date(STARTS.year, month, 1)
        day = date(STARTS.year, month + 1, 1) - timedelta(days=1) if of_month == 0 else first.replace(day=of_month)
        while not _CALENDAR.is_working_day(day):
            day -= timedelta(days=1)
        yield (day - STARTS).days


_CALENDAR = holidays.country_holidays("CN", years=STARTS.year)


def _account(rng: Random, key: str, role: str, segment: Segment, *, income: int, days: dict[int, float]) -> Account:
    flows, opening, spent = _flows(rng, role, segment, days)
    inflow = [0] * DAYS
    for day, part in flows.items():
        if day < DAYS:
            inflow[day] = int(part * income)
    limited, dies = rng.random() < 0.1, rng.random() * 100 < segment.dies
    return Account(
        id=key,
        bank=rng.randrange(BANKS),
        opening=int(opening * income),
        inflow=tuple(inflow),
        lands=rng.randint(8, 17),
        spending=tuple(_spending(rng, spent * income / MONTH, inflow)),
        day_limit=rng.choice((500, 1_000, 2_000, 5_000)) * YUAN if limited else 0,
        refuses=frozenset(_random_days(rng, 0.008)),
        dies_at=rng.randrange(-10 * DAY, DAYS * DAY) if dies else NEVER,
    )


def _flows(rng: Random, role: str, segment: Segment, days: dict[int, float]) -> tuple[dict[int, float], float, float]:
    """An account's income by day, its opening balance, and its spending a month, in months of income.

    A current account lives by the wages; savings get a tenth of them; a credit line is used and is free again some days
    after them; a wallet is topped up whenever its owner thinks of it.
    """
    spends, cushion = rng.uniform(*segment.spends), rng.uniform(*segment.cushion)
    if role == "savings":
        return {day: 0.1 * part for day, part in days.items()}, 0.5 * cushion, 0.1 * spends
    if role == "credit":
        later = rng.randint(2, 12)
        return {day + later: 0.3 * part for day, part in days.items()}, 0.3 * cushion, 0.3 * spends
    if role == "wallet":
        return {day: 0.2 * part for day, part in _irregular_income(rng).items()}, rng.uniform(0, 0.1), 0.2
    return days, cushion, spends


def _spending(rng: Random, daily: float, inflow: Sequence[int]) -> Iterator[int]:
    """Intended spending by day, `daily` on average: more just after income, and sometimes a large bill."""
    big, since = max(inflow) / 2, MONTH
    for came in inflow:
        since = 0 if came and came >= big else since + 1
        mood = 1.5 if since <= 3 else 0.8
        bill = 6.0 if rng.random() < 0.03 else 1.0
        yield int(daily * mood * bill * (0.4 + 1.2 * rng.random()))


def _outages(rng: Random) -> Iterator[tuple[int, int]]:
    """Maintenance of one to three hours in some nights, and twice a month an outage in the daytime."""
    for day in range(DAYS):
        night = day * DAY + rng.randrange(90)
        if rng.random() < 0.2:
            yield night, night + rng.randint(60, 180)
        if rng.random() < 2 / MONTH:
            start = day * DAY + rng.randrange(5 * 60, 21 * 60)
            yield start, start + rng.randint(10, 180)


def _weighted_choice(rng: Random, weights: Mapping[T, int]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


def _random_days(rng: Random, chance: float) -> Iterator[int]:
    """Random days, each with this probability."""
    day = -1
    while (day := day + 1 + int(math.log(1 - rng.random()) / math.log(1 - chance))) < DAYS:
        yield day
