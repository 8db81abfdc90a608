"""Time passes on what is unpaid: it falls overdue, its days are counted, late fees accrue. Stopped clocks stand out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from credit import services as credit
from credit.services import Delta
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import BPS, Money
from ledger import services as ledger
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.services.tell import news_of, tell

OVERDUE, DAY_END = Actor.system("overdue"), Actor.system("day_end")
log = structlog.get_logger(__name__)


@transaction.atomic
def mark_overdue(realm_id: int, *, at: datetime, limit: int) -> int:
    """Grace has passed unpaid: the promise is breached. What is in flight is left until its outcome is known.

    Orders are locked before their obligations, as everywhere; returns how many obligations became overdue.
    """
    due = Obligation.objects.filter(realm_id=realm_id, overdue_from__lte=at, in_flight__isnull=True)
    order_ids = set(due.order_by("overdue_from", "id").values_list("order_id", flat=True)[:limit])
    locked = Order.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).filter(pk__in=order_ids)
    orders = {order.id: order for order in locked.order_by("pk")}
    found = due.filter(order_id__in=orders).select_related("person")
    rows = list(found.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for row in rows:
        zone = row.person.zone
        days = rules.days_between(row.due_at, at, zone)
        row.fall_overdue(days=days, bucket=rules.bucket_of(days), day_end_at=rules.next_midnight(at, zone))
    record_all(rows, "overdue", by=OVERDUE, at=at, data=[{"bucket": row.bucket} for row in rows])
    fallen = [orders[key] for key in sorted({row.order_id for row in rows}) if orders[key].overdue_at is None]
    for order in fallen:
        order.fall_overdue(at=at)
    record_all(fallen, "overdue", by=OVERDUE, at=at)
    deltas = [
        Delta(order.person_id, overdue_orders=1, breached_orders=1, score_step="breached", order_id=order.id)
        for order in fallen
    ]
    if deltas:
        credit.change_profiles(deltas, at=at)
        tell((news_of(order, "order.overdue") for order in fallen), realm_id=realm_id, at=at)
    return len(rows)


def close_days(realm_id: int, *, at: datetime, limit: int) -> int:
    """Count the days that have ended on overdue obligations, each row's missed days in order. Returns how many rows.

    A row whose day cannot be closed keeps its error and is left out until somebody has looked; the others go on.
    """
    due = Obligation.objects.filter(
        realm_id=realm_id, day_end_at__lte=at, day_end_error="", in_flight__isnull=True, kind=Obligation.Kind.PRINCIPAL
    )
    pairs = list(due.order_by("day_end_at", "id").values_list("id", "order_id")[:limit])
    for obligation_id, order_id in pairs:
        try:
            _close_days_of(obligation_id, order_id, at=at)
        except Exception as exc:
            log.exception("day_not_closed", obligation=str(obligation_id))
            Obligation.objects.filter(pk=obligation_id).update(day_end_error=f"{type(exc).__name__}: {exc}"[:300])
    return len(pairs)


@transaction.atomic
def _close_days_of(obligation_id: UUID, order_id: UUID, *, at: datetime) -> None:
    """Every day of one obligation that has ended by now, in order."""
    order = Order.objects.locked(order_id)
    family = list(
        order.obligations.select_for_update(of=("self",), no_key=True).select_related("person").order_by("pk")
    )
    row = next(o for o in family if o.id == obligation_id)
    fee = next((o for o in family if o.kind == Obligation.Kind.LATE_FEE and o.owed), None)
    if fee is not None and fee.in_flight:
        return
    while row.state == Obligation.State.OVERDUE and row.day_end_at is not None and row.day_end_at <= at:
        ended = row.day_end_at
        fee = _close_day(order, row, fee, at=ended)
        row.day_end_at = rules.next_midnight(ended, row.person.zone)
    row.save(update_fields=["day_end_at", "overdue_days", "fee_units"])


def _close_day(order: Order, row: Obligation, fee: Obligation | None, *, at: datetime) -> Obligation | None:
    """One day: counted, its bucket, its late fee. A change of bucket is a line of history, a quiet day is none."""
    days, before = row.overdue_days + 1, row.fee_units
    cap = order.total.bps(order.late_fee_cap_bps).minor
    units, whole = rules.fee_after(before, row.owed.minor, order.late_fee_daily_bps, cap_minor=cap)
    bucket, was = rules.bucket_of(days), row.bucket
    row.age(days=days, bucket=bucket, fee_units=units)
    if bucket != was:
        row.record("aged", by=DAY_END, at=at, bucket=bucket)
    accrued = Money(whole - before // BPS, order.currency)
    return _accrue(order, row, fee, accrued, at=at) if accrued else fee


def _accrue(order: Order, row: Obligation, fee: Obligation | None, accrued: Money, *, at: datetime) -> Obligation:
    """The day's late fee is owed beside the debt it is for, collected with it, and booked as income."""
    if fee is None:
        fee = Obligation(
            realm_id=order.realm_id,
            order=order,
            merchant_id=order.merchant_id,
            person_id=order.person_id,
            kind=Obligation.Kind.LATE_FEE,
            sequence=1 + max(order.obligations.values_list("sequence", flat=True)),
            currency=order.currency,
            amount_minor=accrued.minor,
            state=Obligation.State.OVERDUE,
            due_at=row.due_at,
        )
    else:
        fee.accrue(accrued)
    fee.plan = row.plan
    fee.wait_for_next()
    line = fee.record("accrued", by=DAY_END, at=at, fee=accrued.minor)
    credit.change_profiles([Delta(order.person_id, outstanding_minor=accrued.minor)], at=at)
    facts = [Fact(line.id, "late_fee", rules.accrual_moves(accrued, order.terms), order.id)]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    return fee


def waive_late_fees(order: Order, rows: Sequence[Obligation], *, by: Actor, at: datetime) -> list[Delta]:
    """The late fees among an order's locked obligations are forgiven; what that changes for the person."""
    fees = [row for row in rows if row.kind == Obligation.Kind.LATE_FEE and row.owed]
    owed = [row.owed for row in fees]
    for row in fees:
        row.waive()
    lines = record_all(fees, "waived", by=by, at=at)
    facts = [
        Fact(line.id, "late_fee_waived", rules.fee_waiver_moves(fee, order.terms), order.id)
        for line, fee in zip(lines, owed, strict=True)
    ]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    return [Delta(order.person_id, outstanding_minor=-fee.minor) for fee in owed]
