"""Reminders: before a debit, before a due date, while something is overdue. And whether a notice is still true.

Each stage is one question on an index that holds open work only; the answer is told in a handful of statements.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import inbox
from accounts.inbox import Item
from accounts.models import Notice
from accounts.wording import COLLECTION, FACTS, Value
from billing import purse, queries
from billing.labels import named
from billing.models import DeductionLine, Instrument
from billing.outlook import announced
from billing.services.tell import NOTHING_TO_TAKE_FROM, values_of
from kernel.money import Money
from kernel.prepared import Question, Reading
from orders.models import Obligation, ObligationEvent

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
    found = [
        remind_of_debits(realm_id, at=at, limit=limit),
        *(remind_of_due(realm_id, *stage, at=at, limit=limit) for stage in DUE),
        remind_of_overdue(realm_id, at=at, limit=limit),
    ]
    return max(found)


_OF_KEYS = Reading(lambda keys: Obligation.objects.filter(pk__any=keys), ["uuid[]"])
_LINES = Reading(
    lambda deductions: DeductionLine.objects.filter(deduction_id__any=deductions).select_related("obligation"),
    ["uuid[]"],
)
_DEMANDS = Reading(
    lambda debts: (
        Notice.objects.filter(about__any=debts, stage__startswith=COLLECTION).order_by("id").values_list("about", "id")
    ),
    ["uuid[]"],
)


_LESS = Reading(
    lambda orders: ObligationEvent.objects.filter(
        subject__order_id__any=orders, kind__in=("part_paid", "paid", "lowered", "waived")
    ).values_list("subject__order_id", "subject_id", "subject__kind", "at"),
    ["uuid[]"],
)


def standing(notices: Sequence[Notice], at: datetime) -> dict[UUID, str]:
    """Why each of these that no longer stands does not: paid, waived, paused, moved, under way, too late, overtaken.

    A demand is also pointless where a plan was agreed since, and untrue where less is owed than it says.
    """
    abouts = {notice.about for notice in notices if notice.stage not in FACTS}
    obligations = {row.id: row for row in _OF_KEYS.rows(list(abouts))}
    lines: dict[UUID, list[Obligation]] = {}
    others = list(abouts - set(obligations))
    for line in _LINES.rows(others) if others else ():
        lines.setdefault(line.deduction_id, []).append(line.obligation)
    late = {notice.about for notice in notices if notice.stage.startswith(COLLECTION)}
    latest = dict(_DEMANDS.rows(list(late))) if late else {}
    lessened = _lessened([obligations[key] for key in late & set(obligations)])
    gone = {}
    for notice in notices:
        row = obligations.get(notice.about)
        if notice.stage in FACTS:
            reason = ""
        elif notice.stage == "debit_failed":
            rows = lines.get(notice.about, []) if row is None else [row]
            reason = "" if any(row.state in Obligation.OWED for row in rows) else "settled"
        else:
            overtaken = notice.stage.startswith(COLLECTION) and latest[notice.about] != notice.id
            less = notice.about in lessened and lessened[notice.about] > notice.at
            reason = _over(row, notice, at=at) or ("overtaken" if overtaken else "less_is_owed" if less else "")
        if reason:
            gone[notice.id] = reason
    return gone


def _over(row: Obligation | None, notice: Notice, *, at: datetime) -> str:
    """Why a reminder about this obligation is pointless now; empty when it is not."""
    if row is None or row.state not in Obligation.OWED:
        return str(row.state) if row else "gone"
    if row.paused_at is not None:
        return "paused"
    if row.in_flight is not None:
        return "under_way"
    if notice.stage.startswith(COLLECTION):
        return "" if row.state == Obligation.State.OVERDUE else "started_anew"
    if notice.due_at <= at:
        return "too_late"
    return "moved" if notice.stage == "debit_planned" and row.collect_at != notice.due_at else ""


def _lessened(rows: Sequence[Obligation]) -> dict[UUID, datetime]:
    """When less came to be owed of these last, or of the late fees beside them."""
    found: dict[UUID, datetime] = {}
    for order_id, key, kind, at in _LESS.rows([row.order_id for row in rows]) if rows else ():
        for row in rows:
            beside = row.order_id == order_id and kind == Obligation.Kind.LATE_FEE
            if row.id == key or beside:
                found[row.id] = max(at, found.get(row.id, at))
    return found


@transaction.atomic
def remind_of_debits(realm_id: int, *, at: datetime, limit: int) -> int:
    """Automatic debits of the coming day, by the index obligations_due. A late fee goes with the debt it is taken with,
    and by itself where a plan has it taken on another day.
    """
    rows = _debits(limit).rows(realm_id, at + IMMEDIATE, at + AHEAD)
    if not rows:
        return 0
    usable = queries.instruments_of(row.person_id for row in rows)
    items = [
        _item(row, "debit_planned", amount, row.collect_at, {"instrument": _label(row, usable.get(row.person_id, []))})
        for row, amount in _by_then(rows)
    ]
    inbox.write_notices(items, realm_id=realm_id, at=at)
    return len(rows)


@transaction.atomic
def remind_of_due(realm_id: int, stage: str, before: timedelta, until: timedelta, *, at: datetime, limit: int) -> int:
    """What is due in so many days, by the same index: until the person moves it, it is collected when it is due.

    The last day's does not ring beside the announcement of the debit itself.
    """
    rows = _dues(stage, limit).rows(realm_id, at + until, at + before)
    if not rows:
        return 0
    items = [_item(row, stage, row.owed, row.due_at, {}, quiet=before <= AHEAD) for row in rows]
    inbox.write_notices(items, realm_id=realm_id, at=at)
    return len(rows)


@transaction.atomic
def remind_of_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """What has been overdue for so many days that its person is to hear of it."""
    days = dict(_OVERDUE.rows(realm_id, list(DAYS), DAYS_MAX, COLLECTION, limit))
    if not days:
        return 0
    rows = _WITH_MERCHANTS.rows(list(days))
    owed = _with_fees(rows, attrgetter("state"))
    items = [_item(row, f"{COLLECTION}{days[row.id]}", amount, row.due_at, {}) for row, amount in owed]
    inbox.write_notices(items, realm_id=realm_id, at=at)
    return len(days)


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
