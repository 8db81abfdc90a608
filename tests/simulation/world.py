"""The initial data of a seed: shops, people with bank accounts, and orders from before the first day."""

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
from tests.simulation.generator import AgreementCopy, PersonCopy, make_agreements, make_people
from tests.simulation.order_copies import OrderCopy, make_orders
from tests.simulation.row_copies import Role, copy_key
from tests.simulation.template_rows import BY, TemplateRows, create_person, create_template_rows, number_of, token_of

START = datetime(2027, 3, 1, tzinfo=UTC)
#: At the end, no new faults occur for this long, so that everything can settle.
CALM_PERIOD = timedelta(days=4)
ZONES = (*["Asia/Shanghai"] * 8, "Europe/London", "America/New_York")
SHOPS: tuple[dict[str, Any], ...] = (
    {"name": "充电宝", "ceiling_minor": 9_900},
    {"name": "快递", "ceiling_minor": 20_000, "funding": "advance", "fee_bps": 100, "grace": timedelta(hours=24)},
    {"name": "租借", "ceiling_minor": 30_000, "late_fee_daily_bps": 5, "late_fee_cap_bps": 1_000},
)
#: Hours (UTC) at which things are due, alternating by day, so that it is day in one zone and night in another.
HOURS = (1, 13)
#: Percentages: people with a second and a third instrument, open orders, and first accounts that will close.
SECOND, THIRD, OPEN, CLOSING = 40, 12, 3, 3
#: The number of the template person, and the first number of the template's orders.
PATTERN, PATTERN_USES = 0, 90_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a simulation."""

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
        return self.end - CALM_PERIOD


@dataclass(frozen=True, slots=True)
class OrderRef:
    """An order with its merchant and person."""

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
    """Shops and orders at the start."""

    shops: Sequence[Service]
    owed: Sequence[OrderRef]
    open: Sequence[OrderRef]
    #: Accounts that will be closed, with the time.
    closing: dict[str, datetime]


def make_world(size: Size, rng: random.Random) -> World:
    """Create all data from before the first day."""
    before = START - timedelta(days=2)
    person, _ = create_person(PATTERN, ZONES[0], at=before)
    patterns = [_shop(terms, person, place, at=before) for place, terms in enumerate(SHOPS)]
    numbers = range(1, size.people + 1)
    make_people(person, [PersonCopy(number, rng.choice(ZONES), before) for number in numbers])
    _more_instruments(person, numbers, rng, at=before)
    for shop, pattern in enumerate(patterns):
        make_agreements(pattern, [AgreementCopy(agreement_number(number, shop), number, before) for number in numbers])
    uses = _uses(size, patterns, rng)
    for shop, pattern in enumerate(patterns):
        make_orders(pattern, [use for use, where in uses if where == shop])
    ordered = [
        (
            use,
            OrderRef(
                use.number, copy_key(Role.ORDER, use.number), copy_key(Role.PERSON, use.citizen), use.citizen, shop
            ),
        )
        for use, shop in uses
    ]
    closing = {token_of(number, 1): random_time(size, rng) for number in numbers if rng.randrange(100) < CLOSING}
    return World(
        [pattern.service for pattern in patterns],
        [one for use, one in ordered if use.completed_at],
        [one for use, one in ordered if not use.completed_at],
        closing,
    )


def agreement_number(citizen: int, shop: int) -> int:
    """The number of a person's agreement with a shop."""
    return citizen * len(SHOPS) + shop


def _shop(terms: dict[str, Any], person: Person, place: int, *, at: datetime) -> TemplateRows:
    _, live = merchants.join_merchant(terms["name"], by=BY, at=at)
    service = merchants.offer_service(live.id, {"mode": "dynamic", **terms}, by=BY, at=at)
    return create_template_rows(service, person, PATTERN_USES + 2 * place, at=at)


def _more_instruments(person: Person, numbers: range, rng: random.Random, *, at: datetime) -> None:
    """Add a second account to some people, and a third to fewer, as add_instrument writes them."""
    made = []
    for number in numbers:
        drawn = rng.randrange(100)
        made += [
            Instrument(
                realm_id=LIVE,
                person_id=copy_key(Role.PERSON, number),
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


def _uses(size: Size, patterns: Sequence[TemplateRows], rng: random.Random) -> list[tuple[OrderCopy, int]]:
    """Each order with its shop; a person's earlier orders determine the exposure of later ones."""
    opened, completed = START - timedelta(days=1, hours=12), START - timedelta(days=1)
    used, going = dict.fromkeys(range(1, size.people + 1), 0), dict.fromkeys(range(1, size.people + 1), 0)
    uses = []
    for number in range(1, size.orders + 1):
        citizen, shop = rng.randint(1, size.people), rng.randrange(len(patterns))
        ceiling = patterns[shop].open.ceiling_minor
        use = OrderCopy(number, agreement_number(citizen, shop), citizen, opened, used[citizen], going[citizen])
        if rng.randrange(100) < OPEN:
            used[citizen], going[citizen] = used[citizen] + ceiling, going[citizen] + 1
        else:
            total = rng.randint(ceiling // 50, ceiling)
            used[citizen] += total
            use = _completed(use, total, completed, random_time(size, rng))
        uses.append((use, shop))
    return uses


def _completed(use: OrderCopy, total: int, at: datetime, due_at: datetime) -> OrderCopy:
    return OrderCopy(
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


def random_time(size: Size, rng: random.Random) -> datetime:
    """A random due time before the calm period."""
    day = rng.randrange((size.calm_from - START).days)
    return START + timedelta(days=day, hours=HOURS[day % len(HOURS)])
