"""Ageing of unpaid obligations: mark them overdue, count overdue days and accrue late fees. Paused ones are skipped."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef

from credit.usage import ProfileDelta, apply_deltas
from kernel.actor import Actor
from kernel.bulk_writes import update_all
from kernel.lifecycle import record_all
from kernel.money import BPS, Money
from kernel.prepared_statements import PreparedQuery
from kernel.sweeps import Sweep, process_bisecting, raise_last
from orders import rules
from orders.models import ATTEMPTED_SQL, Obligation, Order
from orders.services.events import order_event, publish_events
from orders.services.late_fees import DAY_END, accrue_late_fees, lead_obligations_of
from orders.services.plan_history import PlanVersion, plan_versions_of, was_attempted
from orders.services.promises import delta_for

OVERDUE_ACTOR = Actor.system("overdue")
log = structlog.get_logger(__name__)


@lru_cache(maxsize=8)
def _past_grace(limit: int) -> PreparedQuery[tuple[UUID]]:
    """The orders of obligations past their grace period."""
    return PreparedQuery(
        lambda realm, at: (
            Obligation.objects.filter(realm_id=realm, overdue_from__lte=at, in_flight__isnull=True)
            .exclude(Obligation.NOT_YET_ATTEMPTED)
            .order_by("overdue_from", "id")
            .values_list("order_id")[:limit]
        ),
        ["bigint", "timestamptz"],
    )


@lru_cache(maxsize=8)
def _days_ended(limit: int) -> PreparedQuery[tuple[UUID, UUID]]:
    """Overdue obligations whose day has ended and can be closed, each with its order."""
    held = Obligation.objects.filter(order=OuterRef("order"), in_flight__isnull=False)
    due = Obligation.objects.filter(~Exists(held), day_end_error="", kind__in=Obligation.AGEING)
    rows = due.order_by("day_end_at", "id").values_list("id", "order_id")
    return PreparedQuery(
        lambda realm, at: rows.filter(realm_id=realm, day_end_at__lte=at)[:limit], ["bigint", "timestamptz"]
    )


_LOCKED_OBLIGATIONS = (
    Obligation.objects.select_for_update(of=("self",), no_key=True).annotate(zone=F("person__zone")).order_by("pk")
)
_PAST_GRACE_OF_ORDERS = PreparedQuery(
    lambda realm, at, orders: _LOCKED_OBLIGATIONS.exclude(Obligation.NOT_YET_ATTEMPTED).filter(
        realm_id=realm, overdue_from__lte=at, in_flight__isnull=True, order_id__any=orders
    ),
    ["bigint", "timestamptz", "uuid[]"],
)
#: The orders with what late fees are computed from, locked; those locked by others are skipped.
_LOCKED_ORDERS = PreparedQuery(
    lambda keys: (
        Order.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .defer("items", "discounts", "metadata", "asked_hash", "final_hash")
        .filter(pk__any=keys)
        .order_by("pk")
    ),
    ["uuid[]"],
)
_OBLIGATIONS_OF_ORDERS = PreparedQuery(lambda orders: _LOCKED_OBLIGATIONS.filter(order_id__any=orders), ["uuid[]"])


def mark_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """Mark obligations overdue whose grace period has passed, and their orders: the promise is breached. Those with a
    deduction in flight, or whose first attempt has not been made yet, are left alone.

    Returns how many due obligations were looked at; fewer than `limit` means that none are left.

    Raises:
        Exception: the last error of orders that could not be marked even alone; they are still due.
    """
    due = _past_grace(limit).rows(realm_id, at)
    keys = list(dict.fromkeys(order_id for (order_id,) in due))
    failures = process_bisecting(keys, lambda some: _mark_overdue(realm_id, some, at=at), event="not_marked_overdue")
    raise_last(failures, batch_size=len(due))
    return len(due)


@transaction.atomic
def _mark_overdue(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> None:
    """Lock orders before their obligations, as everywhere; all late obligations of an order become overdue together."""
    locked = Order.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(pk__in=keys)
    orders = {order.id: order for order in locked.order_by("pk")}
    rows = _PAST_GRACE_OF_ORDERS.rows(realm_id, at, list(orders)) if orders else []
    for row in rows:
        zone, effective_due_at = row.zone, (row.overdue_from or at) - orders[row.order_id].grace
        days = rules.days_between(effective_due_at, at, zone)  # not since due_at: it may have been paused
        ages = row.kind in Obligation.AGEING
        day_end_at = rules.next_midnight(at, zone) if ages else None
        row.mark_overdue(days=days, bucket=rules.bucket_of(days), day_end_at=day_end_at)
    record_all(rows, "overdue", by=OVERDUE_ACTOR, at=at, data=[{"bucket": row.bucket} for row in rows])
    late_orders = [orders[key] for key in sorted({row.order_id for row in rows})]
    newly_overdue = [order for order in late_orders if order.state == Order.State.COMPLETED]
    deltas = [_overdue_delta(order) for order in newly_overdue]
    for order in newly_overdue:
        order.mark_overdue(at=at)
    record_all(newly_overdue, "overdue", by=OVERDUE_ACTOR, at=at)
    if deltas:
        apply_deltas(deltas, at=at)
        publish_events((order_event(order, "order.overdue") for order in newly_overdue), realm_id=realm_id, at=at)


def _overdue_delta(order: Order) -> ProfileDelta:
    """The profile changes when an order becomes overdue. A breach is recorded once per order, even after new dates."""
    if order.overdue_at is not None:
        return delta_for(order, overdue_orders=1)
    return delta_for(order, overdue_orders=1, breached_orders=1, score_step="breached", order_id=order.id)


def close_days(realm_id: int, *, at: datetime, limit: int) -> int:
    """Close the days that have ended on overdue obligations, in order of their ends. Returns how many rows were closed.

    Rows whose order is locked by others are skipped and stay due.
    """
    return _close_or_keep_error(_days_ended(limit).rows(realm_id, at), at=at)


def _close_or_keep_error(pairs: Sequence[tuple[UUID, UUID]], *, at: datetime) -> int:
    """Close all together; if that fails, each alone, and store the error of a row that fails alone so that it is
    skipped.

    Database errors such as a lock timeout are not the row's fault: it stays due.
    """
    try:
        return _close_days_of(dict(pairs), at=at) if pairs else 0
    except SoftTimeLimitExceeded:
        raise
    except Exception as exc:
        if len(pairs) > 1:
            return sum(_close_or_keep_error([pair], at=at) for pair in pairs)
        if isinstance(exc, OperationalError | InterfaceError):
            log.warning("day_put_off", obligation=str(pairs[0][0]), error=str(exc))
            return 0
        log.exception("day_not_closed", obligation=str(pairs[0][0]))
        Obligation.objects.filter(pk=pairs[0][0]).update(day_end_error=f"{type(exc).__name__}: {exc}"[:300])
    return len(pairs)


@transaction.atomic
def _close_days_of(order_ids: dict[UUID, UUID], *, at: datetime) -> int:
    """Close every ended day of these obligations, in order of their ends. Returns how many of them could be locked."""
    orders = {order.id: order for order in _LOCKED_ORDERS.rows(list(set(order_ids.values())))}
    obligations = _OBLIGATIONS_OF_ORDERS.rows(list(orders))
    fees: dict[tuple[UUID, bool], Obligation] = {}
    last_sequence: dict[UUID, int] = {}
    charged_units: dict[UUID, int] = {}
    for row in obligations:
        row.order = orders[row.order_id]
        charged_units[row.order_id] = charged_units.get(row.order_id, 0) + row.fee_units
        last_sequence[row.order_id] = max(row.sequence, last_sequence.get(row.order_id, 0))
        if row.kind == Obligation.Kind.LATE_FEE and row.state == Obligation.State.OVERDUE and row.owed:
            fees[row.order_id, row.by_hand] = row
    in_flight_orders = {row.order_id for row in obligations if row.in_flight}
    lead_obligations = lead_obligations_of(obligations)
    rows = [row for row in obligations if row.id in order_ids and row.order_id not in in_flight_orders]
    zones, plans = {row.person_id: row.zone for row in obligations}, plan_versions_of(rows, at=at)
    while ends := [end for row in rows if (end := _next_day_end(row, at=at))]:
        ended = min(ends)
        accrued = _close_day([row for row in rows if row.day_end_at == ended], zones, plans, charged_units, at=ended)
        accrue_late_fees(accrued, lead_obligations, fees, last_sequence, at=ended)
    update_all(rows, ["day_end_at", "overdue_days", "bucket", "fee_units"])
    return sum(order_id in orders for order_id in order_ids.values())


def _next_day_end(row: Obligation, *, at: datetime) -> datetime | None:
    """The end of the first day that has ended and is not counted yet."""
    is_due = row.state == Obligation.State.OVERDUE and row.day_end_at is not None and row.day_end_at <= at
    return row.day_end_at if is_due else None


def _close_day(
    rows: Sequence[Obligation],
    zones: Mapping[UUID, str],
    plans: Mapping[UUID, Sequence[PlanVersion]],
    charged_units: dict[UUID, int],
    *,
    at: datetime,
) -> dict[Obligation, Money]:
    """Close one day: count it, set the bucket, and return the late fees. A change of bucket is recorded in the history.

    Fees accrue on the principal only, not on early refunds, and not for days on which our own attempt was overdue.

    The cap applies to the whole order: `charged_units` is what all its parts have accrued so far.
    """
    aged, accrued = [], {}
    for row in rows:
        order, days, before, old_bucket = row.order, row.overdue_days + 1, row.fee_units, row.bucket
        other_units = charged_units[row.order_id] - before
        cap = rules.remaining_cap(order.total.bps(order.late_fee_cap_bps).minor, other_units)
        accrues = row.kind == Obligation.Kind.PRINCIPAL and was_attempted(row, plans, end=at)
        base_minor = row.owed.minor if accrues else 0
        units, whole_fee = rules.accrue_fee_units(before, base_minor, order.late_fee_daily_bps, cap_minor=cap)
        charged_units[row.order_id] = other_units + units
        row.age(days=days, bucket=rules.bucket_of(days), fee_units=units)
        row.day_end_at = rules.next_midnight(at, zones[row.person_id])
        if row.bucket != old_bucket:
            aged.append(row)
        if whole_fee > before // BPS:
            accrued[row] = Money(whole_fee - before // BPS, order.currency)
    record_all(aged, "aged", by=DAY_END, at=at, data=[{"bucket": row.bucket} for row in aged])
    return accrued


_FIRST_OVERDUE_SQL = f"""SELECT min(overdue_from) FROM orders_obligation
    WHERE realm_id = %(realm)s AND overdue_from IS NOT NULL AND in_flight IS NULL AND {ATTEMPTED_SQL}"""  # noqa: S608  ours
OVERDUE_SWEEP = Sweep(
    name="overdue",
    process_batch=mark_overdue,
    first_due_sql=_FIRST_OVERDUE_SQL,
    model=Obligation,
    due_column="overdue_from",
)
DAY_END_SWEEP = Sweep(
    name="days",
    process_batch=close_days,
    first_due_sql="SELECT min(day_end_at) FROM orders_obligation o WHERE realm_id = %(realm)s"
    " AND day_end_at IS NOT NULL AND day_end_error = '' AND kind <> 'late_fee' AND NOT EXISTS"
    " (SELECT 1 FROM orders_obligation held WHERE held.order_id = o.order_id AND held.in_flight IS NOT NULL)",
    model=Obligation,
    due_column="day_end_at",
)
