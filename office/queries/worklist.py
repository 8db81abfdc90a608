"""Who owes what is overdue, by age: whom to ask first, what they said last, and whether they may be asked now.

A fixed number of questions for a page, each on an index of open debts: what was paid long ago costs nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, F, Max, Min, OuterRef, Q, Sum

from accounts import contacts
from accounts.models import Contact, Person
from billing.models import Dispute, DisputeLine
from kernel.models import LIVE
from kernel.money import Money
from office.rules import BUCKETS
from orders.models import Concern, Obligation, Order

ROWS_A_PAGE = 50
#: A promise that was broken so long ago is not what somebody is asked about first.
BROKEN_FOR = timedelta(days=120)
#: The age of a person's debts is that of the oldest. A late fee has none of its own.
_PLACE = "coalesce(array_position(%(buckets)s::text[], {row}.bucket::text), 1)"
_WORLD = {"live": "{row}.realm_id = %(live)s", "test": "{row}.realm_id <> %(live)s"}
_SUMS = """
WITH debts AS (
    SELECT o.person_id, o.currency, {place} AS place, o.amount_minor - o.paid_minor AS unpaid
    FROM orders_obligation o WHERE o.state = 'overdue' AND {world}),
worst AS (SELECT person_id, max(place) AS place FROM debts GROUP BY 1)
SELECT w.place, d.currency, count(DISTINCT d.person_id), sum(d.unpaid)::bigint
FROM debts d JOIN worst w USING (person_id) GROUP BY GROUPING SETS ((w.place), (w.place, d.currency))
ORDER BY 1, 2
"""
_OLDEST = """
(SELECT o.id, o.person_id FROM orders_obligation o
 WHERE o.state = 'overdue' AND {world} AND o.bucket = %(bucket)s AND o.id > %(after)s
   AND NOT EXISTS (
       SELECT 1 FROM orders_obligation w WHERE w.person_id = o.person_id AND w.state = 'overdue'
       AND ({worse} > %(place)s OR ({worse} = %(place)s AND w.id < o.id)))
   AND NOT o.person_id = ANY(%(but)s)
 ORDER BY o.id LIMIT %(most)s)
"""
_BROKEN = """
SELECT c.person_id FROM accounts_contact c
JOIN accounts_person p ON p.id = c.person_id JOIN kernel_realm r ON r.id = c.realm_id
WHERE c.promised_on IS NOT NULL AND {world}
  AND c.promised_on < (coalesce(r.frozen_at, %(at)s + r.clock_offset) AT TIME ZONE p.zone)::date
  AND c.promised_on > (coalesce(r.frozen_at, %(at)s + r.clock_offset) - %(long)s)::date
  AND NOT EXISTS (SELECT 1 FROM accounts_contact n WHERE n.person_id = c.person_id
                  AND n.promised_on IS NOT NULL AND (n.at, n.id) > (c.at, c.id))
  AND EXISTS (SELECT 1 FROM orders_obligation o WHERE o.person_id = c.person_id AND o.state = 'overdue'
              AND (c.order_id IS NULL OR o.order_id = c.order_id))
ORDER BY c.promised_on, c.id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many people's oldest debt is of this age, and what they owe that is overdue."""

    name: str
    people: int
    sums: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Debtor:
    """One person who is late, and how it stands with asking them."""

    person: Person
    owed: tuple[Money, ...]
    days: int
    due_at: datetime
    last: Contact | None
    promise: Contact | None
    #: From when on they may be asked; nothing while they may not be at all.
    next_at: datetime | None
    now: datetime
    broken: bool

    @property
    def may(self) -> bool:
        """Whether they may be asked at this moment."""
        return self.next_at is not None and self.next_at <= self.now


@dataclass(frozen=True, slots=True)
class Late:
    """One order of a person's of which something is overdue, and why it is not asked for where it is not."""

    order: Order
    owed: Money
    days: int
    due_at: datetime
    held_by: str


def buckets(mode: str) -> list[Bucket]:
    """What is overdue, by the age of each person's oldest debt: one question over all open debts."""
    rows = _asked(_SUMS.format(place=_PLACE.format(row="o"), world=_world(mode, "o")), {})
    people = {place: count for place, currency, count, _sum in rows if currency is None}
    sums: dict[int, list[Money]] = {}
    for place, currency, _count, unpaid in rows:
        if currency is not None:
            sums.setdefault(place, []).append(Money(int(unpaid), currency))
    return [
        Bucket(name, people.get(place, 0), tuple(sums.get(place, ()))) for place, name in enumerate(BUCKETS, start=1)
    ]


def late_people(mode: str, bucket: str, after: UUID | None, but: Sequence[UUID]) -> tuple[list[UUID], UUID | None]:
    """People whose oldest debt is of this age, the oldest first, but for some; and where the next page begins."""
    part = _OLDEST.format(world=_world(mode, "o"), worse=_PLACE.format(row="w"))
    given = {
        "after": after or UUID(int=0),
        "place": BUCKETS.index(bucket) + 1,
        "but": list(but),
        "most": ROWS_A_PAGE + 1,
    }
    ages = [bucket, ""] if bucket == BUCKETS[0] else [bucket]
    found = sorted(row for age in ages for row in _asked(part, given | {"bucket": age}))
    shown = found[:ROWS_A_PAGE]
    return [person for _key, person in shown], shown[-1][0] if len(found) > ROWS_A_PAGE else None


def broken(mode: str, at: datetime) -> list[UUID]:
    """People whose promise has passed while what it was about is owed still, the longest ago first."""
    given = {"at": at, "long": BROKEN_FOR, "most": ROWS_A_PAGE}
    return [person for (person,) in _asked(_BROKEN.format(world=_world(mode, "c")), given)]


def debtors(keys: Sequence[UUID], at: datetime, *, promises_broken: Iterable[UUID] = ()) -> list[Debtor]:
    """These people as the list shows them, in this order."""
    people = Person.objects.select_related("realm", "user").in_bulk(list(keys))
    there = {key: person.realm.now(at) for key, person in people.items()}
    sums, oldest = _owed(keys)
    last, promised = _contacts(keys, Q()), _contacts(keys, Q(promised_on__isnull=False))
    free, asked, over = _free_people(keys), _asked_on_their_days(people, there), set(promises_broken)
    found = []
    for key in keys:
        if key not in people or key not in oldest:
            continue  # paid while the page was made
        days, due_at = oldest[key]
        next_at = contacts.next_allowed(people[key], asked[key], at=there[key]) if key in free else None
        found.append(
            Debtor(
                people[key],
                tuple(sums[key]),
                days,
                due_at,
                last.get(key),
                promised.get(key),
                next_at,
                there[key],
                key in over,
            )
        )
    return found


def late_orders(person_id: UUID) -> list[Late]:
    """Everything of theirs that is overdue, order by order, the oldest debt first."""
    rows = list(
        Obligation.objects.filter(person_id=person_id, state=Obligation.State.OVERDUE)
        .values("order_id", "currency")
        .annotate(unpaid=_UNPAID, days=Max("overdue_days"), since=Min("due_at"))
        .order_by("since", "order_id")
    )
    orders = Order.objects.select_related("merchant", "realm").in_bulk([row["order_id"] for row in rows])
    held = holds(orders)
    return [
        Late(
            orders[row["order_id"]],
            Money(row["unpaid"], row["currency"]),
            row["days"],
            row["since"],
            held.get(row["order_id"], ""),
        )
        for row in rows
    ]


def holds(orders: Iterable[UUID]) -> dict[UUID, str]:
    """Why nobody is asked for what is overdue of these orders: `stands_still`, `under_way`, `problem`, `hardship` or
    `dispute`, the last of them that is true. An order that may be asked for is not named.
    """
    keys = list(orders)
    late = Obligation.objects.filter(order_id__in=keys, state=Obligation.State.OVERDUE)
    open_now = Concern.objects.filter(state=Concern.State.OPEN)
    asked = Q(order_id=OuterRef("order_id")) | Q(order__isnull=True, person_id=OuterRef("person_id"))
    found: dict[UUID, str] = {}
    questions: dict[str, Any] = {
        "stands_still": late.filter(paused_at__isnull=False),
        "under_way": late.filter(in_flight__isnull=False),
        "problem": open_now.filter(kind=Concern.Kind.PROBLEM, order_id__in=keys),
        "hardship": late.filter(Exists(open_now.filter(asked, kind=Concern.Kind.HARDSHIP))),
        "dispute": DisputeLine.objects.filter(order_id__in=keys, dispute__state__in=Dispute.LIVE),
    }
    for reason, rows in questions.items():
        found |= dict.fromkeys(rows.values_list("order_id", flat=True).distinct(), reason)
    return found


_UNPAID = Sum(F("amount_minor") - F("paid_minor"))


def _owed(keys: Sequence[UUID]) -> tuple[Mapping[UUID, list[Money]], Mapping[UUID, tuple[int, datetime]]]:
    """What each owes that is overdue in each currency; how many days the oldest is, and since when."""
    late = Obligation.objects.filter(person_id__in=keys, state=Obligation.State.OVERDUE)
    rows = late.values("person_id", "currency").annotate(unpaid=_UNPAID, days=Max("overdue_days"), since=Min("due_at"))
    sums: dict[UUID, list[Money]] = {}
    oldest: dict[UUID, tuple[int, datetime]] = {}
    for row in rows.order_by("currency"):
        key, known = row["person_id"], oldest.get(row["person_id"], (0, row["since"]))
        sums.setdefault(key, []).append(Money(row["unpaid"], row["currency"]))
        oldest[key] = max(known[0], row["days"]), min(known[1], row["since"])
    return sums, oldest


def _contacts(keys: Sequence[UUID], which: Q) -> dict[UUID, Contact]:
    """The latest contact of each."""
    rows = Contact.objects.filter(which, person_id__in=keys).order_by("person_id", "-at", "-id").distinct("person_id")
    return {row.person_id: row for row in rows}


def _free_people(keys: Sequence[UUID]) -> set[UUID]:
    """Those of whom something is overdue that may be asked for."""
    late = Obligation.objects.filter(person_id__in=keys, state=Obligation.State.OVERDUE)
    owing = set(late.values_list("person_id", "order_id").distinct())
    held = holds({order for _person, order in owing})
    return {person for person, order in owing if order not in held}


def _asked_on_their_days(people: Mapping[UUID, Person], there: Mapping[UUID, datetime]) -> dict[UUID, set[UUID]]:
    """What each was asked today; people of one world, who share its time, in one question."""
    found: dict[UUID, set[UUID]] = {}
    for moment in sorted(set(there.values())):
        zones = {key: person.zone for key, person in people.items() if there[key] == moment}
        found |= contacts.asked_today(zones, at=moment)
    return found


def _world(mode: str, row: str) -> str:
    return _WORLD["live" if mode == "live" else "test"].format(row=row)


def _asked(question: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, {"live": LIVE, "buckets": list(BUCKETS), **given})
        return list(cursor.fetchall())
