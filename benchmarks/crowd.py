"""A live merchant and any number of people with agreements for its service: copied by SQL from one created person.

Copied as in tests/simulation, so that all invariants of `manage.py verify` hold for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from kernel.clock import live_now
from merchants import services as merchants
from orders.models import Obligation
from tests.simulation.generator import AgreementCopy, PersonCopy, make_agreements, make_people
from tests.simulation.row_copies import Role, copy_key
from tests.simulation.template_rows import BY, TemplateRows, create_person, create_template_rows

ZONE = "Asia/Shanghai"
FIRST = 100_000
#: What a person may have open at once; the platform's own limit.
ORDERS_EACH = 20
_PATTERN, _PATTERN_USE = 0, 90_000_000


def number_of(place: int) -> int:
    """The number of the person at this index: its hexadecimal digits are decimal ones, for pgbench."""
    return int(str(FIRST + place), 16)


@dataclass(slots=True)
class Crowd:
    """A merchant and its people. Orders are placed by everybody in turn."""

    pattern: TemplateRows
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
        """An agreement, of another person each time."""
        turn = next(self.turns)
        if turn >= self.people * ORDERS_EACH:
            raise RuntimeError("Everybody has as many open orders as they may: the crowd is too small.")
        return f"agr_{copy_key(Role.AGREEMENT, number_of(turn % self.people)).hex}"


def create_crowd(people: int, *, name: str = "来电充电宝", **terms: Any) -> Crowd:
    """Create the crowd; all agreements were signed yesterday."""
    at = (live_now() - timedelta(days=1)).replace(microsecond=0)
    person, _instrument = create_person(_PATTERN, ZONE, at=at)
    _sandbox, live = merchants.join_merchant(name, by=BY, at=at)
    _key, secret = merchants.issue_key(live.id, by=BY, at=at)
    service = merchants.offer_service(
        live.id, {"name": name, "mode": "dynamic", "ceiling_minor": 9900} | terms, by=BY, at=at
    )
    pattern = create_template_rows(service, person, _PATTERN_USE, at=at)
    # The orders that others are copied from must not be swept.
    Obligation.objects.filter(order=pattern.completed).update(collect_at=at + timedelta(days=300))
    numbers = [number_of(place) for place in range(people)]
    make_people(person, [PersonCopy(number, ZONE, at) for number in numbers])
    make_agreements(pattern, [AgreementCopy(number, number, at) for number in numbers])
    return Crowd(pattern, secret, people, count())
