"""Reminders: before a debit, before a due date, while something is overdue. And whether a notice is still true.

Each stage is one question on an index that holds open work only; the answer is told in a handful of statements.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import inbox
from accounts.inbox import Item
from accounts.models import Notice
from accounts.wording import COLLECTION, Value
from billing import purse, queries
from billing.labels import named
from billing.models import Instrument
from billing.outlook import announced
from billing.services.tell import NOTHING_TO_TAKE_FROM, values_of
from kernel.money import Money
from kernel.prepared import Question, Reading
from kernel.sweeps import by_halves, each, raise_last
from orders.models import Obligation

#: A debit is announced so long before; one that is nearer than IMMEDIATE when it is planned goes by its own notice.
AHEAD, IMMEDIATE = timedelta(days=1), timedelta(hours=1)
#: Stage, and between how long before the due time it is told.
DUE = (("due_in_3_days", timedelta(days=3), timedelta(days=1)), ("due_in_1_day", timedelta(days=1), timedelta()))
#: The days overdue on which a person hears of it, the day it fell overdue being the first. One missed is not told late
#: beside the next: only the latest is. What is older than this by the calendar is other people's work.
DAYS, DAYS_MAX = (1, 3, 7, 15, 30), 120

# By the index obligations_day_end, which holds what is overdue, owed and not standing still. Days that do not count
# (the clock stood still) are not in overdue_days; the days of grace before it fell are taken off.
_OVERDUE = Question(
    """
SELECT o.id, s.day FROM orders_obligation o
CROSS JOIN LATERAL (
    SELECT max(day) AS day FROM unnest($2::int[]) day WHERE day <= greatest(1, 1 + o.overdue_days - o.grace_days)) s
WHERE o.realm_id = $1 AND o.day_end_at IS NOT NULL AND o.day_end_error = '' AND o.overdue_days < $3
  AND o.state = 'overdue' AND o.kind <> 'late_fee' AND o.in_flight IS NULL
  AND NOT EXISTS (SELECT 1 FROM accounts_notice n
                  WHERE n.about = o.id AND n.stage = $4 || s.day AND n.due_at = o.due_at)
ORDER BY o.day_end_at, o.id LIMIT $5
""",
    ["bigint", "int[]", "int", "text", "int"],
)


def remind_due(realm_id: int, *, at: datetime, limit: int = 500) -> int:
    """Tell people what is coming and what is late. Returns the most found for one stage; `limit` means there is more.

    Two workers at once tell each stage once: the second one's rows find the first one's.
    """
    found = list[int]()
    stages = [
        partial(remind_of_debits, realm_id),
        *(partial(remind_of_due, realm_id, *stage) for stage in DUE),
        partial(remind_of_overdue, realm_id),
    ]
    each(stages, lambda remind: found.append(remind(at=at, limit=limit)), told="not_reminded")
    return max(found)


def remind_of_debits(realm_id: int, *, at: datetime, limit: int) -> int:
    """Automatic debits of the coming day, by the index obligations_due. A late fee goes with the debt it is taken with,
    and by itself where a plan has it taken on another day.
    """
    rows = _debits(limit).rows(realm_id, at + IMMEDIATE, at + AHEAD)
    if not rows:
        return 0
    usable, amounts = queries.instruments_of(row.person_id for row in rows), dict(_by_then(rows))

    def item(row: Obligation) -> Item:
        said = {"instrument": _label(row, usable.get(row.person_id, []))}
        return _item(row, "debit_planned", amounts[row], row.collect_at, said)

    return _told(rows, item, realm_id=realm_id, at=at)


def remind_of_due(realm_id: int, stage: str, before: timedelta, until: timedelta, *, at: datetime, limit: int) -> int:
    """What is due in so many days, by the same index: until the person moves it, it is collected when it is due.

    The last day's does not ring beside the announcement of the debit itself.
    """
    rows = _dues(stage, limit).rows(realm_id, at + until, at + before)
    return _told(
        rows, lambda row: _item(row, stage, row.owed, row.due_at, {}, quiet=before <= AHEAD), realm_id=realm_id, at=at
    )


def remind_of_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """What has been overdue for so many days that its person is to hear of it."""
    days = dict(_OVERDUE.rows(realm_id, list(DAYS), DAYS_MAX, COLLECTION, limit))
    if not days:
        return 0
    rows = _WITH_MERCHANTS.rows(list(days))
    owed = dict(_with_fees(rows, attrgetter("state")))
    return _told(
        rows,
        lambda row: _item(row, f"{COLLECTION}{days[row.id]}", owed[row], row.due_at, {}),
        realm_id=realm_id,
        at=at,
    )


def _told(rows: Sequence[Obligation], item: Callable[[Obligation], Item], *, realm_id: int, at: datetime) -> int:
    """Tell the people of these; how many they are.

    Raises:
        Exception: the last of what went wrong with those that cannot be told of even alone; the others are.
    """
    write = partial(inbox.write_notices, realm_id=realm_id, at=at)
    failures = by_halves(rows, lambda some: write([item(row) for row in some]), told="not_reminded")
    raise_last(failures, seen=len(rows))
    return len(rows)


def _untold(coming: QuerySet[Obligation], stage: str, moment: str, limit: int) -> QuerySet[Obligation]:
    """Those of them whose person has not heard of this moment."""
    told = Notice.objects.filter(about=OuterRef("pk"), stage=stage, due_at=OuterRef(moment))
    return coming.filter(~Exists(told)).select_related("order__merchant").order_by("collect_at", "id")[:limit]


@lru_cache(maxsize=8)
def _debits(limit: int) -> Reading[Obligation]:
    """Collected between two moments; a late fee that is taken with its debt is not told of by itself."""
    debts = Obligation.objects.filter(kind__in=Obligation.AGEING)
    main = debts.filter(order=OuterRef("order"), collect_at=OuterRef("collect_at"))
    alone = Obligation.objects.filter(Q(kind__in=Obligation.AGEING) | ~Exists(main))
    return Reading(
        lambda realm, after, until: _untold(
            alone.filter(realm_id=realm, collect_at__gt=after, collect_at__lte=until),
            "debit_planned",
            "collect_at",
            limit,
        ),
        ["bigint", "timestamptz", "timestamptz"],
    )


@lru_cache(maxsize=8)
def _dues(stage: str, limit: int) -> Reading[Obligation]:
    """Due, and collected, between two moments."""
    return Reading(
        lambda realm, after, until: _untold(
            Obligation.objects.filter(
                realm_id=realm, collect_at__gt=after, collect_at__lte=until, due_at__gt=after, due_at__lte=until
            ),
            stage,
            "due_at",
            limit,
        ),
        ["bigint", "timestamptz", "timestamptz"],
    )


_WITH_MERCHANTS = Reading(
    lambda keys: Obligation.objects.filter(pk__any=keys).select_related("order__merchant"), ["uuid[]"]
)
#: What is owed of the late fees of orders.
_FEES = Reading(
    lambda orders: Obligation.objects.filter(
        order_id__any=orders, kind=Obligation.Kind.LATE_FEE, state__in=Obligation.OWED
    ),
    ["uuid[]"],
)

#: All obligations of orders, with their people's zones.
_PARTS = Reading(
    lambda orders: Obligation.objects.filter(order_id__any=orders).annotate(zone=F("person__zone")).order_by("pk"),
    ["uuid[]"],
)


def _item(
    row: Obligation,
    stage: str,
    amount: Money,
    moment: datetime | None,
    more: Mapping[str, Value],
    *,
    quiet: bool = False,
) -> Item:
    when = moment or row.due_at
    return Item(
        person_id=row.person_id,
        stage=stage,
        about=row.id,
        episode=inbox.episode_of(when),
        due_at=when,
        values={**values_of(row.order, amount, when=when), **more},
        order_id=row.order_id,
        quiet=quiet,
    )


def _with_fees(rows: Sequence[Obligation], alike: Callable[[Obligation], Any]) -> list[tuple[Obligation, Money]]:
    """What is owed of each, with its order's late fees that are `alike`: taken when it is, or late as it is."""
    fees: dict[Any, int] = {}
    for fee in _FEES.rows([row.order_id for row in rows]):
        beside = fee.order_id, alike(fee)
        fees[beside] = fees.get(beside, 0) + fee.owed.minor
    debts = Obligation.AGEING
    return [
        (row, row.owed + Money(fees.pop((row.order_id, alike(row)), 0) if row.kind in debts else 0, row.currency))
        for row in rows
    ]


def _by_then(rows: Sequence[Obligation]) -> list[tuple[Obligation, Money]]:
    """What is taken of each when it is collected."""
    every, zones, told = dict[UUID, list[Obligation]](), dict[UUID, str](), set[UUID]()
    orders = {row.order_id: row.order for row in rows if row.order.late_fee_daily_bps}
    for part in _PARTS.rows(list(orders)):
        part.order, zones[part.order_id] = orders[part.order_id], part.zone
        every.setdefault(part.order_id, []).append(part)
    return [
        (row, announced(row, every[row.order_id], zones[row.order_id], told) if row.order_id in every else row.owed)
        for row in rows
    ]


def _label(row: Obligation, usable: Sequence[Instrument]) -> Value:
    """The instrument the plan names, if it may still be charged; else the person's first."""
    planned = purse.source_of(row.plan[0] if row.plan else {}, purse.fitting(usable, row.owed))
    return named(planned.label) if planned else NOTHING_TO_TAKE_FROM
