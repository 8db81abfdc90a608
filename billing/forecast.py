"""Forecast of an order if its person does nothing from now on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from billing.queries import UpcomingAttempt
from kernel.money import BPS, Money
from orders.late_fee_lead import lead_obligation
from orders.models import Obligation, Order
from orders.queries import OrderDetails
from orders.rules import accrue_fee_units, next_midnight, remaining_cap

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OrderForecast:
    """The next automatic deduction and its amount; when the order becomes overdue and what that costs."""

    next_deduction: UpcomingAttempt | None
    amount: Money
    overdue_from: datetime | None
    fee_bps: int
    fee_cap: Money
    #: Whether any principal is owed: late fees are not charged on fees.
    accrues_late_fee: bool


def forecast_order(details: OrderDetails, planned: Sequence[UpcomingAttempt], zone: str) -> OrderForecast | None:
    """None if nothing happens automatically: nothing is owed, the order is paused, or a deduction is in flight."""
    owed = [row for row in details.obligations if row.state in Obligation.OWED]
    if not owed or details.in_flight or any(row.paused_at for row in owed):
        return None
    order, upcoming = details.order, planned[0] if planned else None
    amounts = [
        amount_at(row, details.obligations, upcoming.at, zone).minor
        for row in owed
        if upcoming and _is_collected_by(row, upcoming)
    ]
    deadlines = [row.overdue_from for row in owed if row.overdue_from is not None]
    return OrderForecast(
        next_deduction=upcoming,
        amount=Money(sum(amounts), order.currency),
        overdue_from=min(deadlines) if deadlines and order.state == Order.State.COMPLETED else None,
        fee_bps=order.late_fee_daily_bps,
        fee_cap=order.total.bps(order.late_fee_cap_bps),
        accrues_late_fee=any(row.kind == Obligation.Kind.PRINCIPAL for row in owed),
    )


def amount_at(
    row: Obligation, obligations: Iterable[Obligation], moment: datetime, zone: str, *, spent: int = 0
) -> Money:
    """What is collected of `row` if it is collected at `moment`.

    `obligations` are those of its order, including `row`. `spent` are units (1/10,000 minor) of the fee cap used by
    obligations that are not among them. Late fees that accrue until then are collected with the order's leading debt,
    together with the fee that already exists.
    """
    of_order = sorted((other for other in obligations if other.order_id == row.order_id), key=lambda other: other.id)
    accrued = _accrued_fees(of_order, moment, zone, spent).get(row.by_hand, 0)
    if not accrued:
        return row.owed
    same_group = [other for other in of_order if other.by_hand == row.by_hand]
    fee = next((one for one in reversed(same_group) if _is_accruing_fee(one)), None)
    if row == fee:
        return Money(0, row.currency)
    if row != lead_obligation([debt for debt in same_group if (_next_fee_day_end(debt, zone) or NEVER) <= moment]):
        return row.owed
    return row.owed + Money(accrued, row.currency) + (fee.owed if fee else Money(0, row.currency))


def announced_amount(row: Obligation, obligations: Sequence[Obligation], zone: str, announced_fees: set[UUID]) -> Money:
    """What is taken when this debt is collected, including the late fees collected with it.

    Each fee is counted once: those already in `announced_fees` are left out, and the others are added to it.
    """
    moment, late = row.collect_at or row.due_at, Obligation.Kind.LATE_FEE
    fees = [
        fee for fee in obligations if fee.kind == late and fee.state in Obligation.OWED and fee.collect_at == moment
    ]
    fees_due_then = [fee for fee in fees if row.kind in Obligation.AGEING and fee.id not in announced_fees]
    announced_fees |= {fee.id for fee in fees_due_then}
    return Money(sum(amount_at(one, obligations, moment, zone).minor for one in (row, *fees_due_then)), row.currency)


def _is_accruing_fee(row: Obligation) -> bool:
    """Whether it is the late fee that further overdue days are added to."""
    return row.kind == Obligation.Kind.LATE_FEE and row.state == Obligation.State.OVERDUE and bool(row.owed)


def _next_fee_day_end(row: Obligation, zone: str) -> datetime | None:
    """When the next day ends that adds a late fee; None while it is paused or nothing is owed."""
    if row.kind != Obligation.Kind.PRINCIPAL or row.state not in Obligation.OWED or row.paused_at is not None:
        return None
    return next_midnight(row.overdue_from, zone) if row.overdue_from else row.day_end_at


def _accrued_fees(rows: Sequence[Obligation], moment: datetime, zone: str, spent: int) -> dict[bool, int]:
    """Late fees (minor units) that accrue on an order until `moment` if nothing is paid, day by day.

    Keyed by `by_hand`: whether the person pays that part themselves instead of by automatic deduction.
    """
    order, accrued = rows[0].order, dict[bool, int]()
    ends = {row: end for row in rows if (end := _next_fee_day_end(row, zone)) is not None}
    units, cap = {row: row.fee_units for row in rows}, order.total.bps(order.late_fee_cap_bps).minor
    while order.late_fee_daily_bps and ends and (first := min(ends.values())) <= moment:
        for row in (row for row, end in ends.items() if end == first):
            before = units[row]
            left = remaining_cap(cap, spent + sum(units.values()) - before)
            units[row], fee_minor = accrue_fee_units(before, row.owed.minor, order.late_fee_daily_bps, cap_minor=left)
            accrued[row.by_hand] = accrued.get(row.by_hand, 0) + fee_minor - before // BPS
            ends[row] = next_midnight(first, zone)
    return accrued


def _is_collected_by(row: Obligation, attempt: UpcomingAttempt) -> bool:
    return bool(row.plan and datetime.fromisoformat(row.plan[0]["at"]) == attempt.at)
