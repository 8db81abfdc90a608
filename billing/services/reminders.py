"""Reminders before a deduction, before a due date, and while something is overdue.

Each stage is one query on an index that holds open work only; its notices are written in a handful of statements.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import notices
from accounts.models import Notice
from accounts.notice_rules import OVERDUE_PREFIX, Phrase, Value
from accounts.notices import NewNotice
from billing import instrument_queries, queries
from billing.forecast import announced_amount
from billing.labels import first_label, localized_label
from billing.models import Instrument
from billing.services.notices import FAILURE_REASONS, notice_values
from kernel.money import Money
from kernel.prepared_statements import PreparedQuery, PreparedStatement
from kernel.sweeps import process_bisecting, process_each, raise_last
from orders.models import Obligation

#: How long before a deduction it is announced; one planned less than IMMEDIATE ahead has a notice of its own.
ANNOUNCE_BEFORE, IMMEDIATE = timedelta(days=1), timedelta(hours=1)
#: Stage, and the span before the due time in which it is sent.
DUE_STAGES = (("due_in_3_days", timedelta(days=3), timedelta(days=1)), ("due_in_1_day", timedelta(days=1), timedelta()))
#: The overdue days on which a person is reminded; the day it became overdue is day 1. If several were missed, only the
#: latest is sent. Nothing is sent after OVERDUE_DAYS_MAX calendar days: collections staff take over.
OVERDUE_DAYS, OVERDUE_DAYS_MAX = (1, 3, 7, 15, 30), 120
#: What a planned deduction does, and what it cannot do as things are.
_DEDUCTED = {
    "zh-hans": "将于 {when} 从 {instrument} 自动扣款",
    "en": "will be deducted from {instrument} on {when}",
}
_WITHOUT_INSTRUMENT = {
    "zh-hans": "应于 {when} 扣款，但您还没有可用的扣款方式",
    "en": "is to be deducted on {when}, but you have no usable payment method yet",
}
_ABOVE_LIMITS = {
    "zh-hans": "应于 {when} 扣款，但{reason}",
    "en": "is to be deducted on {when}, but {reason}",
}

# Uses the index obligations_day_end, which holds what is overdue, owed and not paused. Paused days are not in
# overdue_days; the days of grace are subtracted.
_OVERDUE_QUERY = PreparedStatement(
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


def remind_all(realm_id: int, *, at: datetime, limit: int = 500) -> int:
    """Write all reminders that are due. Returns the largest count of one stage; `limit` means there are more.

    Two workers at once write each reminder once: the second one's insert conflicts with the first one's.
    """
    counts = list[int]()
    stages = [
        partial(remind_planned_debits, realm_id),
        *(partial(remind_due_soon, realm_id, *stage) for stage in DUE_STAGES),
        partial(remind_overdue, realm_id),
    ]
    process_each(stages, lambda remind: counts.append(remind(at=at, limit=limit)), event="not_reminded")
    return max(counts)


def remind_planned_debits(realm_id: int, *, at: datetime, limit: int) -> int:
    """Announce automatic deductions of the coming day, by the index obligations_due.

    A late fee is announced with the debt it is deducted with, or alone if it is planned for another day.
    """
    rows = _planned_debits(limit).rows(realm_id, at + IMMEDIATE, at + ANNOUNCE_BEFORE)
    if not rows:
        return 0
    usable, amounts = queries.instruments_of(row.person_id for row in rows), dict(_planned_amounts(rows))

    def item(row: Obligation) -> NewNotice:
        values = _plan_values(row, usable.get(row.person_id, []))
        return _build_item(row, "debit_planned", amounts[row], row.collect_at, values)

    return _write_notices(rows, item, realm_id=realm_id, at=at)


def remind_due_soon(realm_id: int, stage: str, before: timedelta, until: timedelta, *, at: datetime, limit: int) -> int:
    """Remind of what is due in so many days, by the same index: it is collected when due unless the person moves it.

    The last day's reminder is quiet, because the deduction itself is announced that day.
    """
    rows = _due_soon(stage, limit).rows(realm_id, at + until, at + before)
    return _write_notices(
        rows,
        lambda row: _build_item(row, stage, row.owed, row.due_at, {}, quiet=before <= ANNOUNCE_BEFORE),
        realm_id=realm_id,
        at=at,
    )


def remind_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """Remind of what has been overdue for one of OVERDUE_DAYS."""
    days = dict(_OVERDUE_QUERY.rows(realm_id, list(OVERDUE_DAYS), OVERDUE_DAYS_MAX, OVERDUE_PREFIX, limit))
    if not days:
        return 0
    rows = _WITH_MERCHANTS.rows(list(days))
    owed = dict(_amounts_with_fees(rows, attrgetter("state")))
    return _write_notices(
        rows,
        lambda row: _build_item(row, f"{OVERDUE_PREFIX}{days[row.id]}", owed[row], row.due_at, {}),
        realm_id=realm_id,
        at=at,
    )


def _write_notices(
    rows: Sequence[Obligation], item: Callable[[Obligation], NewNotice], *, realm_id: int, at: datetime
) -> int:
    """Write a notice for each of these rows. Returns how many there were.

    Raises:
        Exception: the last error of a row whose notice fails even alone; the others are written.
    """
    write = partial(notices.write_notices, realm_id=realm_id, at=at)
    failures = process_bisecting(rows, lambda some: write([item(row) for row in some]), event="not_reminded")
    raise_last(failures, batch_size=len(rows))
    return len(rows)


def _without_notice(obligations: QuerySet[Obligation], stage: str, moment: str, limit: int) -> QuerySet[Obligation]:
    """Those whose person has no notice of this stage for this moment."""
    existing = Notice.objects.filter(about=OuterRef("pk"), stage=stage, due_at=OuterRef(moment))
    return obligations.filter(~Exists(existing)).select_related("order__merchant").order_by("collect_at", "id")[:limit]


@lru_cache(maxsize=8)
def _planned_debits(limit: int) -> PreparedQuery[Obligation]:
    """Obligations collected between two moments, without late fees that are deducted with their debt."""
    debts = Obligation.objects.filter(kind__in=Obligation.AGEING)
    main = debts.filter(order=OuterRef("order"), collect_at=OuterRef("collect_at"))
    alone = Obligation.objects.filter(Q(kind__in=Obligation.AGEING) | ~Exists(main))
    return PreparedQuery(
        lambda realm, after, until: _without_notice(
            alone.filter(realm_id=realm, collect_at__gt=after, collect_at__lte=until),
            "debit_planned",
            "collect_at",
            limit,
        ),
        ["bigint", "timestamptz", "timestamptz"],
    )


@lru_cache(maxsize=8)
def _due_soon(stage: str, limit: int) -> PreparedQuery[Obligation]:
    """Obligations both due and collected between two moments."""
    return PreparedQuery(
        lambda realm, after, until: _without_notice(
            Obligation.objects.filter(
                realm_id=realm, collect_at__gt=after, collect_at__lte=until, due_at__gt=after, due_at__lte=until
            ),
            stage,
            "due_at",
            limit,
        ),
        ["bigint", "timestamptz", "timestamptz"],
    )


_WITH_MERCHANTS = PreparedQuery(
    lambda keys: Obligation.objects.filter(pk__any=keys).select_related("order__merchant"), ["uuid[]"]
)
#: The unpaid late fees of orders.
_FEES = PreparedQuery(
    lambda orders: Obligation.objects.filter(
        order_id__any=orders, kind=Obligation.Kind.LATE_FEE, state__in=Obligation.OWED
    ),
    ["uuid[]"],
)

#: All obligations of orders, with their people's zones.
_ORDER_OBLIGATIONS = PreparedQuery(
    lambda orders: Obligation.objects.filter(order_id__any=orders).annotate(zone=F("person__zone")).order_by("pk"),
    ["uuid[]"],
)


def _build_item(
    row: Obligation,
    stage: str,
    amount: Money,
    due_at: datetime | None,
    extra_values: Mapping[str, Value],
    *,
    quiet: bool = False,
) -> NewNotice:
    when = due_at or row.due_at
    return NewNotice(
        person_id=row.person_id,
        stage=stage,
        about=row.id,
        episode=notices.episode_of(when),
        due_at=when,
        values={**notice_values(row.order, amount, when=when), **extra_values},
        order_id=row.order_id,
        quiet=quiet,
    )


def _amounts_with_fees(
    rows: Sequence[Obligation], fee_key: Callable[[Obligation], Any]
) -> list[tuple[Obligation, Money]]:
    """What is owed of each, plus its order's late fees with the same `fee_key`, such as collection time or state."""
    fees: dict[Any, int] = {}
    for fee in _FEES.rows([row.order_id for row in rows]):
        key = fee.order_id, fee_key(fee)
        fees[key] = fees.get(key, 0) + fee.owed.minor
    debts = Obligation.AGEING
    return [
        (row, row.owed + Money(fees.pop((row.order_id, fee_key(row)), 0) if row.kind in debts else 0, row.currency))
        for row in rows
    ]


def _planned_amounts(rows: Sequence[Obligation]) -> list[tuple[Obligation, Money]]:
    """What will be deducted for each when it is collected."""
    by_order, zones, announced_fees = dict[UUID, list[Obligation]](), dict[UUID, str](), set[UUID]()
    orders = {row.order_id: row.order for row in rows if row.order.late_fee_daily_bps}
    for part in _ORDER_OBLIGATIONS.rows(list(orders)):
        part.order, zones[part.order_id] = orders[part.order_id], part.zone
        by_order.setdefault(part.order_id, []).append(part)

    def amount(row: Obligation) -> Money:
        if row.order_id not in by_order:
            return row.owed
        return announced_amount(row, by_order[row.order_id], zones[row.order_id], announced_fees)

    return [(row, amount(row)) for row in rows]


def _plan_values(row: Obligation, usable: Sequence[Instrument]) -> dict[str, Value]:
    """The instrument of the deduction: the one its plan names if usable, else the first; or why there is none."""
    planned = instrument_queries.instrument_for_attempt(
        row.plan[0] if row.plan else {}, instrument_queries.within_limits(usable, row.owed)
    )
    when = row.collect_at or row.due_at
    if planned:
        label = localized_label(planned.label)
        return {"instrument": label, "plan": Phrase(_DEDUCTED, {"when": when, "instrument": label})}
    values: dict[str, Value] = {"when": when, "reason": FAILURE_REASONS["above_limits"]}
    return {
        "instrument": first_label(usable),
        "plan": Phrase(_ABOVE_LIMITS if usable else _WITHOUT_INSTRUMENT, values),
    }
