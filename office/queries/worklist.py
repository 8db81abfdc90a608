"""The collections worklist: overdue customers by age of debt, their last contact, and whether they may be contacted.

A page takes a fixed number of queries, each on an index of open debts, so settled debts cost nothing.
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
from office.rules import AGEING_BUCKETS
from orders.models import Concern, Obligation, Order

ROWS_A_PAGE = 50
#: Promises broken longer ago than this are no longer listed first.
BROKEN_PROMISE_WINDOW = timedelta(days=120)
#: Position of a debt's ageing bucket; a person is in the bucket of their oldest debt. Late fees have no bucket.
_BUCKET_INDEX = "coalesce(array_position(%(buckets)s::text[], {row}.bucket::text), 1)"
_MODE_CONDITION = {"live": "{row}.realm_id = %(live)s", "test": "{row}.realm_id <> %(live)s"}
_BUCKET_TOTALS_SQL = """
WITH debts AS (
    SELECT o.person_id, o.currency, {place} AS place, o.amount_minor - o.paid_minor AS unpaid
    FROM orders_obligation o WHERE o.state = 'overdue' AND {mode_condition}),
worst AS (SELECT person_id, max(place) AS place FROM debts GROUP BY 1)
SELECT w.place, d.currency, count(DISTINCT d.person_id), sum(d.unpaid)::bigint
FROM debts d JOIN worst w USING (person_id) GROUP BY GROUPING SETS ((w.place), (w.place, d.currency))
ORDER BY 1, 2
"""
_BUCKET_PAGE_SQL = """
(SELECT o.id, o.person_id FROM orders_obligation o
 WHERE o.state = 'overdue' AND {mode_condition} AND o.bucket = %(bucket)s AND o.id > %(after)s
   AND NOT EXISTS (
       SELECT 1 FROM orders_obligation w WHERE w.person_id = o.person_id AND w.state = 'overdue'
       AND ({worse} > %(place)s OR ({worse} = %(place)s AND w.id < o.id)))
   AND NOT o.person_id = ANY(%(exclude)s)
 ORDER BY o.id LIMIT %(most)s)
"""
_BROKEN_PROMISES_SQL = """
SELECT c.person_id FROM accounts_contact c
JOIN accounts_person p ON p.id = c.person_id JOIN kernel_realm r ON r.id = c.realm_id
WHERE c.promised_on IS NOT NULL AND {mode_condition}
  AND c.promised_on < (coalesce(r.frozen_at, %(at)s + r.clock_offset) AT TIME ZONE p.zone)::date
  AND c.promised_on > (coalesce(r.frozen_at, %(at)s + r.clock_offset) - %(window)s)::date
  AND NOT EXISTS (SELECT 1 FROM accounts_contact n WHERE n.person_id = c.person_id
                  AND n.promised_on IS NOT NULL AND (n.at, n.id) > (c.at, c.id))
  AND EXISTS (SELECT 1 FROM orders_obligation o WHERE o.person_id = c.person_id AND o.state = 'overdue'
              AND (c.order_id IS NULL OR o.order_id = c.order_id))
ORDER BY c.promised_on, c.id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """People whose oldest debt is in this ageing bucket, and the total they owe that is overdue."""

    name: str
    people: int
    sums: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class Debtor:
    """One overdue person with the last contact and when they may be contacted again."""

    person: Person
    owed: tuple[Money, ...]
    overdue_days: int
    due_at: datetime
    last_contact: Contact | None
    last_promise: Contact | None
    #: From when they may be contacted; None while no contact is allowed.
    next_contact_at: datetime | None
    now: datetime
    promise_broken: bool

    @property
    def can_contact(self) -> bool:
        """Whether they may be contacted now."""
        return self.next_contact_at is not None and self.next_contact_at <= self.now


@dataclass(frozen=True, slots=True)
class OverdueOrder:
    """One overdue order of a person, and why collecting it is on hold ("" if it is not)."""

    order: Order
    owed: Money
    overdue_days: int
    due_at: datetime
    hold: str


def ageing_buckets(mode: str) -> list[Bucket]:
    """Overdue people and amounts by ageing bucket of the oldest debt, in one query over all open debts."""
    rows = _fetch_all(
        _BUCKET_TOTALS_SQL.format(place=_BUCKET_INDEX.format(row="o"), mode_condition=_mode_condition(mode, "o")), {}
    )
    people = {place: count for place, currency, count, _sum in rows if currency is None}
    sums: dict[int, list[Money]] = {}
    for place, currency, _count, unpaid in rows:
        if currency is not None:
            sums.setdefault(place, []).append(Money(int(unpaid), currency))
    return [
        Bucket(name, people.get(place, 0), tuple(sums.get(place, ())))
        for place, name in enumerate(AGEING_BUCKETS, start=1)
    ]


def people_in_bucket(
    mode: str, bucket: str, after: UUID | None, exclude: Sequence[UUID]
) -> tuple[list[UUID], UUID | None]:
    """A page of people whose oldest debt is in the bucket, the oldest first, and the key of the next page."""
    sql = _BUCKET_PAGE_SQL.format(mode_condition=_mode_condition(mode, "o"), worse=_BUCKET_INDEX.format(row="w"))
    params = {
        "after": after or UUID(int=0),
        "place": AGEING_BUCKETS.index(bucket) + 1,
        "exclude": list(exclude),
        "most": ROWS_A_PAGE + 1,
    }
    bucket_values = [bucket, ""] if bucket == AGEING_BUCKETS[0] else [bucket]
    found = sorted(row for age in bucket_values for row in _fetch_all(sql, params | {"bucket": age}))
    page = found[:ROWS_A_PAGE]
    return [person for _key, person in page], page[-1][0] if len(found) > ROWS_A_PAGE else None


def broken_promises(mode: str, at: datetime) -> list[UUID]:
    """People whose last promise to pay has passed with the debt still overdue, the longest ago first."""
    params = {"at": at, "window": BROKEN_PROMISE_WINDOW, "most": ROWS_A_PAGE}
    return [
        person
        for (person,) in _fetch_all(_BROKEN_PROMISES_SQL.format(mode_condition=_mode_condition(mode, "c")), params)
    ]


def debtors_for(keys: Sequence[UUID], at: datetime, *, broken: Iterable[UUID] = ()) -> list[Debtor]:
    """Worklist rows of these people, in the given order; people with nothing overdue are left out."""
    people = Person.objects.select_related("realm", "user").in_bulk(list(keys))
    local_now = {key: person.realm.now(at) for key, person in people.items()}
    sums, oldest = _overdue_totals(keys)
    last, promised = _latest_contacts(keys, Q()), _latest_contacts(keys, Q(promised_on__isnull=False))
    contactable, contacted, broken_for = _contactable_people(keys), _contacted_today(people, local_now), set(broken)
    found = []
    for key in keys:
        if key not in people or key not in oldest:
            continue  # paid in the meantime
        days, due_at = oldest[key]
        next_at = (
            contacts.next_contact_at(people[key], contacted[key], at=local_now[key]) if key in contactable else None
        )
        found.append(
            Debtor(
                people[key],
                tuple(sums[key]),
                days,
                due_at,
                last.get(key),
                promised.get(key),
                next_at,
                local_now[key],
                key in broken_for,
            )
        )
    return found


def overdue_orders(person_id: UUID) -> list[OverdueOrder]:
    """A person's overdue orders, the oldest debt first."""
    rows = list(
        Obligation.objects.filter(person_id=person_id, state=Obligation.State.OVERDUE)
        .values("order_id", "currency")
        .annotate(unpaid=_UNPAID, days=Max("overdue_days"), since=Min("due_at"))
        .order_by("since", "order_id")
    )
    orders = Order.objects.select_related("merchant", "realm").in_bulk([row["order_id"] for row in rows])
    hold_reasons = contact_holds(orders)
    return [
        OverdueOrder(
            orders[row["order_id"]],
            Money(row["unpaid"], row["currency"]),
            row["days"],
            row["since"],
            hold_reasons.get(row["order_id"], ""),
        )
        for row in rows
    ]


def contact_holds(orders: Iterable[UUID]) -> dict[UUID, str]:
    """Why collecting these orders is on hold: `paused`, `in_flight`, `problem`, `hardship` or `dispute`; the last that
    applies counts. Orders that may be collected are not in the result.
    """
    keys = list(orders)
    overdue = Obligation.objects.filter(order_id__in=keys, state=Obligation.State.OVERDUE)
    open_concerns = Concern.objects.filter(state=Concern.State.OPEN)
    same_order_or_person = Q(order_id=OuterRef("order_id")) | Q(order__isnull=True, person_id=OuterRef("person_id"))
    found: dict[UUID, str] = {}
    rows_by_reason: dict[str, Any] = {
        "paused": overdue.filter(paused_at__isnull=False),
        "in_flight": overdue.filter(in_flight__isnull=False),
        "problem": open_concerns.filter(kind=Concern.Kind.PROBLEM, order_id__in=keys),
        "hardship": overdue.filter(Exists(open_concerns.filter(same_order_or_person, kind=Concern.Kind.HARDSHIP))),
        "dispute": DisputeLine.objects.filter(order_id__in=keys, dispute__state__in=Dispute.LIVE),
    }
    for reason, rows in rows_by_reason.items():
        found |= dict.fromkeys(rows.values_list("order_id", flat=True).distinct(), reason)
    return found


_UNPAID = Sum(F("amount_minor") - F("paid_minor"))


def _overdue_totals(keys: Sequence[UUID]) -> tuple[Mapping[UUID, list[Money]], Mapping[UUID, tuple[int, datetime]]]:
    """Each person's overdue amount by currency, and the age in days and due date of the oldest debt."""
    overdue = Obligation.objects.filter(person_id__in=keys, state=Obligation.State.OVERDUE)
    rows = overdue.values("person_id", "currency").annotate(
        unpaid=_UNPAID, days=Max("overdue_days"), since=Min("due_at")
    )
    sums: dict[UUID, list[Money]] = {}
    oldest: dict[UUID, tuple[int, datetime]] = {}
    for row in rows.order_by("currency"):
        key, known = row["person_id"], oldest.get(row["person_id"], (0, row["since"]))
        sums.setdefault(key, []).append(Money(row["unpaid"], row["currency"]))
        oldest[key] = max(known[0], row["days"]), min(known[1], row["since"])
    return sums, oldest


def _latest_contacts(keys: Sequence[UUID], condition: Q) -> dict[UUID, Contact]:
    """Each person's latest contact that matches."""
    rows = (
        Contact.objects.filter(condition, person_id__in=keys).order_by("person_id", "-at", "-id").distinct("person_id")
    )
    return {row.person_id: row for row in rows}


def _contactable_people(keys: Sequence[UUID]) -> set[UUID]:
    """The people with at least one overdue order that is not on hold."""
    overdue = Obligation.objects.filter(person_id__in=keys, state=Obligation.State.OVERDUE)
    owing = set(overdue.values_list("person_id", "order_id").distinct())
    holds = contact_holds({order for _person, order in owing})
    return {person for person, order in owing if order not in holds}


def _contacted_today(people: Mapping[UUID, Person], local_now: Mapping[UUID, datetime]) -> dict[UUID, set[UUID]]:
    """Today's contacts of each person; one query for all people whose realms have the same time."""
    found: dict[UUID, set[UUID]] = {}
    for moment in sorted(set(local_now.values())):
        zones = {key: person.zone for key, person in people.items() if local_now[key] == moment}
        found |= contacts.contacts_today(zones, at=moment)
    return found


def _mode_condition(mode: str, row: str) -> str:
    return _MODE_CONDITION["live" if mode == "live" else "test"].format(row=row)


def _fetch_all(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"live": LIVE, "buckets": list(AGEING_BUCKETS), **params})
        return list(cursor.fetchall())
