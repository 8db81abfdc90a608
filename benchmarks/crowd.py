"""A merchant in the live realm and any number of people who have opened its service: made by SQL after one real person.

The same twins as the simulation's (tests/simulation), so `manage.py verify` says of them what it says of any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from kernel.clock import live_now
from merchants import services as merchants
from orders.models import Obligation
from tests.simulation.copying import Role, key
from tests.simulation.generator import Citizen, Pact, make_pacts, make_people
from tests.simulation.pattern import BY, Pattern, citizen_of, pattern_of

ZONE = "Asia/Shanghai"
FIRST = 100_000
#: What a person may have open at once; the platform's own limit.
ORDERS_EACH = 20
_PATTERN, _PATTERN_USE = 0, 90_000_000


def number_of(place: int) -> int:
    """The number of the person at this place: one whose digits in hex are the place's in decimal, for pgbench."""
    return int(str(FIRST + place), 16)


@dataclass(slots=True)
class Crowd:
    """Who orders, and at whom. Orders are taken from everybody in turn."""

    pattern: Pattern
    secret: str
    people: int
    turns: Iterator[int]

    @property
    def merchant_id(self) -> Any:
        return self.pattern.service.merchant_id

    @property
    def realm_id(self) -> int:
        return self.pattern.open.realm_id

    def agreement(self) -> str:
        """Somebody's, a different person's each time."""
        turn = next(self.turns)
        if turn >= self.people * ORDERS_EACH:
            raise RuntimeError("Everybody has as many open orders as they may: the crowd is too small.")
        return f"agr_{key(Role.AGREEMENT, number_of(turn % self.people)).hex}"


def gather(people: int, *, name: str = "来电充电宝", **terms: Any) -> Crowd:
    """They have all opened the service yesterday."""
    at = (live_now() - timedelta(days=1)).replace(microsecond=0)
    person, _instrument = citizen_of(_PATTERN, ZONE, at=at)
    _sandbox, live = merchants.join_merchant(name, by=BY, at=at)
    _key, secret = merchants.issue_key(live.id, by=BY, at=at)
    service = merchants.offer_service(
        live.id, {"name": name, "mode": "dynamic", "ceiling_minor": 9900} | terms, by=BY, at=at
    )
    pattern = pattern_of(service, person, _PATTERN_USE, at=at)
    # What others are made after is not swept itself.
    Obligation.objects.filter(order=pattern.completed).update(collect_at=at + timedelta(days=300))
    numbers = [number_of(place) for place in range(people)]
    make_people(person, [Citizen(number, ZONE, at) for number in numbers])
    make_pacts(pattern, [Pact(number, number, at) for number in numbers])
    return Crowd(pattern, secret, people, count())
