"""Time passes on what is unpaid: it falls overdue, its days are counted, late fees accrue. Stopped clocks stand out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, F, OuterRef

from credit.used import Delta, change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import BPS, Money
from kernel.prepared import Reading
from kernel.sweeps import Sweep, by_halves, raise_last
from kernel.time_limit import TimeIsUp
from kernel.writes import update_all
from orders import rules
from orders.models import ASKED, Obligation, Order
from orders.services.accrue import DAY_END, accrue, leads_of
from orders.services.asked import Made, plans_since, was_asked
from orders.services.promise import change_for
from orders.services.tell import news_of, tell

OVERDUE = Actor.system("overdue")
log = structlog.get_logger(__name__)


@lru_cache(maxsize=8)
def _late(limit: int) -> Reading[tuple[UUID]]:
    """The orders of what has passed its grace."""
    return Reading(
        lambda realm, at: (
            Obligation.objects.filter(realm_id=realm, overdue_from__lte=at, in_flight__isnull=True)
            .exclude(Obligation.UNASKED)
            .order_by("overdue_from", "id")
            .values_list("order_id")[:limit]
        ),
        ["bigint", "timestamptz"],
    )


@lru_cache(maxsize=8)
def _ended(limit: int) -> Reading[tuple[UUID, UUID]]:
    """Overdue obligations whose day has ended and may be counted, each with its order."""
    held = Obligation.objects.filter(order=OuterRef("order"), in_flight__isnull=False)
    due = Obligation.objects.filter(~Exists(held), day_end_error="", kind__in=Obligation.AGEING)
    rows = due.order_by("day_end_at", "id").values_list("id", "order_id")
    return Reading(lambda realm, at: rows.filter(realm_id=realm, day_end_at__lte=at)[:limit], ["bigint", "timestamptz"])


_LOCKED = (
    Obligation.objects.select_for_update(of=("self",), no_key=True).annotate(zone=F("person__zone")).order_by("pk")
)
_LATE_OF = Reading(
    lambda realm, at, orders: _LOCKED.exclude(Obligation.UNASKED).filter(
        realm_id=realm, overdue_from__lte=at, in_flight__isnull=True, order_id__any=orders
    ),
    ["bigint", "timestamptz", "uuid[]"],
)
#: Locked, with what the fees of a day are reckoned from.
_BILLED = Reading(
    lambda keys: (
        Order.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .defer("items", "discounts", "metadata", "asked_hash", "final_hash")
        .filter(pk__any=keys)
        .order_by("pk")
    ),
    ["uuid[]"],
)
_OF_ORDERS = Reading(lambda orders: _LOCKED.filter(order_id__any=orders), ["uuid[]"])


def mark_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """Grace has passed unpaid: the promise is breached. What is in flight is left until its outcome is known, and what
    has come due while nobody collected until it was asked for.

    Returns how many due obligations were looked at: fewer than `limit` were all.

    Raises:
        Exception: the last of what went wrong with orders that cannot fall overdue even alone; they are still due.
    """
    due = _late(limit).rows(realm_id, at)
    keys = list(dict.fromkeys(order_id for (order_id,) in due))
    failures = by_halves(keys, lambda some: _fall_overdue(realm_id, some, at=at), told="not_marked_overdue")
    raise_last(failures, seen=len(due))
    return len(due)


@transaction.atomic
def _fall_overdue(realm_id: int, keys: Sequence[UUID], *, at: datetime) -> None:
    """Orders are locked before their obligations, as everywhere, and all that is late of one falls overdue with it."""
    locked = Order.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(pk__in=keys)
    orders = {order.id: order for order in locked.order_by("pk")}
    rows = _LATE_OF.rows(realm_id, at, list(orders)) if orders else []
    for row in rows:
        zone, began = row.zone, (row.overdue_from or at) - orders[row.order_id].grace
        days = rules.days_between(began, at, zone)  # not from its due day: the clock may have stood still since
        ages = row.kind in Obligation.AGEING
        ends = rules.next_midnight(at, zone) if ages else None
        row.fall_overdue(days=days, bucket=rules.bucket_of(days), day_end_at=ends)
    record_all(rows, "overdue", by=OVERDUE, at=at, data=[{"bucket": row.bucket} for row in rows])
    late = [orders[key] for key in sorted({row.order_id for row in rows})]
    fallen = [order for order in late if order.state == Order.State.COMPLETED]
    deltas = [_breach(order) for order in fallen]
    for order in fallen:
        order.fall_overdue(at=at)
    record_all(fallen, "overdue", by=OVERDUE, at=at)
    if deltas:
        change_profiles(deltas, at=at)
        tell((news_of(order, "order.overdue") for order in fallen), realm_id=realm_id, at=at)


def _breach(order: Order) -> Delta:
    """What falling overdue does to its person: a promise is broken once, however often new dates are agreed after."""
    if order.overdue_at is not None:
        return change_for(order, overdue_orders=1)
    return change_for(order, overdue_orders=1, breached_orders=1, score_step="breached", order_id=order.id)


def close_days(realm_id: int, *, at: datetime, limit: int) -> int:
    """Count the days that have ended on overdue obligations, each row's missed days in order. Returns how many rows.

    One whose order somebody else has in hand is not counted, and is due still.
    """
    return _close_or_keep_error(_ended(limit).rows(realm_id, at), at=at)


def _close_or_keep_error(pairs: Sequence[tuple[UUID, UUID]], *, at: datetime) -> int:
    """All together; if that fails each alone, and the one that fails alone says why and is left out from now on.

    Where it was the database that could not, such as for a lock, nothing is wrong with the row: it stays due.
    """
    try:
        return _close_days_of(dict(pairs), at=at) if pairs else 0
    except TimeIsUp:
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
    """Every day of these obligations that has ended by now, in the order of their ends. Returns how many had any."""
    orders = {order.id: order for order in _BILLED.rows(list(set(order_ids.values())))}
    every = _OF_ORDERS.rows(list(orders))
    fees: dict[tuple[UUID, bool], Obligation] = {}
    last: dict[UUID, int] = {}
    charged: dict[UUID, int] = {}
    for row in every:
        row.order = orders[row.order_id]
        charged[row.order_id] = charged.get(row.order_id, 0) + row.fee_units
        last[row.order_id] = max(row.sequence, last.get(row.order_id, 0))
        if row.kind == Obligation.Kind.LATE_FEE and row.state == Obligation.State.OVERDUE and row.owed:
            fees[row.order_id, row.by_hand] = row
    held = {row.order_id for row in every if row.in_flight}
    leads = leads_of(every)
    rows = [row for row in every if row.id in order_ids and row.order_id not in held]
    zones, plans = {row.person_id: row.zone for row in every}, plans_since(rows, at=at)
    while ends := [end for row in rows if (end := _uncounted(row, at=at))]:
        ended = min(ends)
        accrued = _close_day([row for row in rows if row.day_end_at == ended], zones, plans, charged, at=ended)
        accrue(accrued, leads, fees, last, at=ended)
    update_all(rows, ["day_end_at", "overdue_days", "bucket", "fee_units"])
    return sum(order_id in orders for order_id in order_ids.values())


def _uncounted(row: Obligation, *, at: datetime) -> datetime | None:
    """The end of the first day of the obligation's that has ended and was not counted."""
    over = row.state == Obligation.State.OVERDUE and row.day_end_at is not None and row.day_end_at <= at
    return row.day_end_at if over else None


def _close_day(
    rows: Sequence[Obligation],
    zones: Mapping[UUID, str],
    plans: Mapping[UUID, Sequence[Made]],
    charged: dict[UUID, int],
    *,
    at: datetime,
) -> dict[Obligation, Money]:
    """One day: counted, its bucket, its late fees, which are returned. A change of bucket is a line of history.

    What was given back ahead of a return costs no fee: it is on what was bought. Nor does what we should have asked for
    by then, and did not.

    The cap is an order's, however many parts of it are overdue: `charged` is what all of them have come to so far.
    """
    aged, accrued = [], {}
    for row in rows:
        order, days, before, was = row.order, row.overdue_days + 1, row.fee_units, row.bucket
        others = charged[row.order_id] - before
        cap = rules.cap_left(order.total.bps(order.late_fee_cap_bps).minor, others)
        bears = row.kind == Obligation.Kind.PRINCIPAL and was_asked(row, plans, end=at)
        costs = row.owed.minor if bears else 0
        units, whole = rules.fee_after(before, costs, order.late_fee_daily_bps, cap_minor=cap)
        charged[row.order_id] = others + units
        row.age(days=days, bucket=rules.bucket_of(days), fee_units=units)
        row.day_end_at = rules.next_midnight(at, zones[row.person_id])
        if row.bucket != was:
            aged.append(row)
        if whole > before // BPS:
            accrued[row] = Money(whole - before // BPS, order.currency)
    record_all(aged, "aged", by=DAY_END, at=at, data=[{"bucket": row.bucket} for row in aged])
    return accrued


_GOING_OVERDUE = f"""SELECT min(overdue_from) FROM orders_obligation
    WHERE realm_id = %(realm)s AND overdue_from IS NOT NULL AND in_flight IS NULL AND {ASKED}"""  # noqa: S608  ours
GOING_OVERDUE = Sweep(
    name="overdue",
    act=mark_overdue,
    first=_GOING_OVERDUE,
    work=Obligation,
    column="overdue_from",
)
DAYS_ENDING = Sweep(
    name="days",
    act=close_days,
    first="SELECT min(day_end_at) FROM orders_obligation o WHERE realm_id = %(realm)s AND day_end_at IS NOT NULL"
    " AND day_end_error = '' AND kind <> 'late_fee' AND NOT EXISTS"
    " (SELECT 1 FROM orders_obligation held WHERE held.order_id = o.order_id AND held.in_flight IS NOT NULL)",
    work=Obligation,
    column="day_end_at",
)
