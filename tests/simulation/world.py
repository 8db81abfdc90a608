"""The world of one seed: shops, people with their bank accounts, and what they used before the first day."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models import Person
from billing.models import Instrument
from kernel.models import LIVE
from merchants import services as merchants
from merchants.models import Service
from tests.simulation.copying import Role, key
from tests.simulation.generator import Citizen, Pact, make_pacts, make_people
from tests.simulation.pattern import BY, Pattern, citizen_of, number_of, pattern_of, token_of
from tests.simulation.uses import Use, make_uses

START = datetime(2027, 3, 1, tzinfo=UTC)
#: After so long before the end nothing new goes wrong, and everything must come to rest.
TAIL = timedelta(days=4)
ZONES = (*["Asia/Shanghai"] * 8, "Europe/London", "America/New_York")
SHOPS: tuple[dict[str, Any], ...] = (
    {"name": "充电宝", "ceiling_minor": 9_900},
    {"name": "快递", "ceiling_minor": 20_000, "funding": "advance", "fee_bps": 100, "grace": timedelta(hours=24)},
    {"name": "租借", "ceiling_minor": 30_000, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1_000},
)
#: Hours (UTC) at which things are due, one a day in turn: the morning of one zone is the night of another.
HOURS = (1, 13)
#: In a hundred: who has a second and a third instrument, which orders are open yet, whose first account will close.
SECOND, THIRD, OPEN, CLOSING = 40, 12, 3, 3
#: The pattern's own number, and those of its orders.
PATTERN, PATTERN_USES = 0, 90_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    seed: int
    orders: int
    days: int

    @property
    def people(self) -> int:
        return max(4, self.orders // 3)

    @property
    def end(self) -> datetime:
        return START + timedelta(days=self.days)

    @property
    def calm_from(self) -> datetime:
        return self.end - TAIL


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as its merchant and its person know it."""

    number: int
    order_id: UUID
    person_id: UUID
    citizen: int
    shop: int

    @property
    def name(self) -> str:
        return number_of(self.number)


@dataclass(frozen=True, slots=True)
class World:
    """Who there is, and what they have ordered."""

    shops: Sequence[Service]
    owed: Sequence[Ordered]
    open: Sequence[Ordered]
    #: Accounts that close, and when.
    closing: dict[str, datetime]


def make_world(size: Size, rng: random.Random) -> World:
    """Everybody and everything before the first day."""
    before = START - timedelta(days=2)
    person, _ = citizen_of(PATTERN, ZONES[0], at=before)
    patterns = [_shop(terms, person, place, at=before) for place, terms in enumerate(SHOPS)]
    numbers = range(1, size.people + 1)
    make_people(person, [Citizen(number, rng.choice(ZONES), before) for number in numbers])
    _more_instruments(person, numbers, rng, at=before)
    for shop, pattern in enumerate(patterns):
        make_pacts(pattern, [Pact(pact_of(number, shop), number, before) for number in numbers])
    uses = _uses(size, patterns, rng)
    for shop, pattern in enumerate(patterns):
        make_uses(pattern, [use for use, where in uses if where == shop])
    ordered = [
        (use, Ordered(use.number, key(Role.ORDER, use.number), key(Role.PERSON, use.citizen), use.citizen, shop))
        for use, shop in uses
    ]
    closing = {token_of(number, 1): moment(size, rng) for number in numbers if rng.randrange(100) < CLOSING}
    return World(
        [pattern.service for pattern in patterns],
        [one for use, one in ordered if use.completed_at],
        [one for use, one in ordered if not use.completed_at],
        closing,
    )


def pact_of(citizen: int, shop: int) -> int:
    """The number of a citizen's agreement with a shop."""
    return citizen * len(SHOPS) + shop


def _shop(terms: dict[str, Any], person: Person, place: int, *, at: datetime) -> Pattern:
    _, live = merchants.join_merchant(terms["name"], by=BY, at=at)
    service = merchants.offer_service(live.id, {"mode": "dynamic", **terms}, by=BY, at=at)
    return pattern_of(service, person, PATTERN_USES + 2 * place, at=at)


def _more_instruments(person: Person, numbers: range, rng: random.Random, *, at: datetime) -> None:
    """A second account, and sometimes a third, as add_instrument writes them."""
    made = []
    for number in numbers:
        drawn = rng.randrange(100)
        made += [
            Instrument(
                realm_id=LIVE,
                person_id=key(Role.PERSON, number),
                channel="sandbox",
                token=token_of(number, place),
                label=f"备用卡 {place}",
                priority=place,
                created_at=at,
            )
            for place, share in ((2, SECOND), (3, THIRD))
            if drawn < share
        ]
    Instrument.objects.bulk_create(made)


def _uses(size: Size, patterns: Sequence[Pattern], rng: random.Random) -> list[tuple[Use, int]]:
    """Each order with its shop; what a person used before one is what the earlier ones left."""
    opened, completed = START - timedelta(days=1, hours=12), START - timedelta(days=1)
    used, going = dict.fromkeys(range(1, size.people + 1), 0), dict.fromkeys(range(1, size.people + 1), 0)
    uses = []
    for number in range(1, size.orders + 1):
        citizen, shop = rng.randint(1, size.people), rng.randrange(len(patterns))
        ceiling = patterns[shop].open.ceiling_minor
        use = Use(number, pact_of(citizen, shop), citizen, opened, used[citizen], going[citizen])
        if rng.randrange(100) < OPEN:
            used[citizen], going[citizen] = used[citizen] + ceiling, going[citizen] + 1
        else:
            total = rng.randint(ceiling // 50, ceiling)
            used[citizen] += total
            use = _completed(use, total, completed, moment(size, rng))
        uses.append((use, shop))
    return uses


def _completed(use: Use, total: int, at: datetime, due_at: datetime) -> Use:
    return Use(
        use.number,
        use.pact,
        use.citizen,
        use.opened_at,
        use.used_minor,
        use.open_before,
        total_minor=total,
        completed_at=at,
        due_at=due_at,
    )


def moment(size: Size, rng: random.Random) -> datetime:
    """The hour of some day before the calm at the end."""
    day = rng.randrange((size.calm_from - START).days)
    return START + timedelta(days=day, hours=HOURS[day % len(HOURS)])
