"""What becomes of an order if its person does nothing from now on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from billing.queries import Coming
from kernel.money import BPS, Money
from orders.models import Obligation, Order, leading
from orders.queries import Sheet
from orders.rules import cap_left, fee_after, next_midnight

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The deduction that comes by itself and what it takes then; when the order falls overdue and what that costs."""

    coming: Coming | None
    takes: Money
    overdue_from: datetime | None
    fee_bps: int
    fee_cap: Money
    #: Whether anything is owed that a late fee would be on: fees earn none.
    costs: bool


def outlook_of(sheet: Sheet, planned: Sequence[Coming], zone: str) -> Outlook | None:
    """None where nothing happens by itself: nothing is owed, it stands still, or a deduction is under way."""
    owed = [row for row in sheet.obligations if row.state in Obligation.OWED]
    if not owed or sheet.in_flight or any(row.paused_at for row in owed):
        return None
    order, coming = sheet.order, planned[0] if planned else None
    amounts = [
        by_then(row, sheet.obligations, coming.at, zone).minor for row in owed if coming and _taken_at(row, coming)
    ]
    deadlines = [row.overdue_from for row in owed if row.overdue_from is not None]
    return Outlook(
        coming=coming,
        takes=Money(sum(amounts), order.currency),
        overdue_from=min(deadlines) if deadlines and order.state == Order.State.COMPLETED else None,
        fee_bps=order.late_fee_daily_bps,
        fee_cap=order.total.bps(order.late_fee_cap_bps),
        costs=any(row.kind == Obligation.Kind.PRINCIPAL for row in owed),
    )


def by_then(row: Obligation, every: Iterable[Obligation], moment: datetime, zone: str, *, spent: int = 0) -> Money:
    """What is taken of it then, if it is; `every` are its order's, it among them, without those that `spent` units.

    The late fees of all its order's days until then go with the debt that leads, and what there is of them already
    with it from the first of those days on.
    """
    alike = sorted((other for other in every if other.order_id == row.order_id), key=lambda other: other.id)
    more = _more(alike, moment, zone, spent).get(row.by_hand, 0)
    if not more:
        return row.owed
    beside = [other for other in alike if other.by_hand == row.by_hand]
    fee = next((one for one in reversed(beside) if _grows(one)), None)
    if row == fee:
        return Money(0, row.currency)
    if row != leading([debt for debt in beside if (_ends(debt, zone) or NEVER) <= moment]):
        return row.owed
    return row.owed + Money(more, row.currency) + (fee.owed if fee else Money(0, row.currency))


def announced(row: Obligation, every: Sequence[Obligation], zone: str, told: set[UUID]) -> Money:
    """What is taken with this debt when it is collected: with the late fees that go along then, each `told` of once."""
    moment, late = row.collect_at or row.due_at, Obligation.Kind.LATE_FEE
    fees = [fee for fee in every if fee.kind == late and fee.state in Obligation.OWED and fee.collect_at == moment]
    along = [fee for fee in fees if row.kind in Obligation.AGEING and fee.id not in told]
    told |= {fee.id for fee in along}
    return Money(sum(by_then(one, every, moment, zone).minor for one in (row, *along)), row.currency)


def _grows(row: Obligation) -> bool:
    """Whether it is the late fee to which the days to come add theirs."""
    return row.kind == Obligation.Kind.LATE_FEE and row.state == Obligation.State.OVERDUE and bool(row.owed)


def _ends(row: Obligation, zone: str) -> datetime | None:
    """When the next day ends that costs a late fee on it; never while it stands still or nothing is owed."""
    if row.kind != Obligation.Kind.PRINCIPAL or row.state not in Obligation.OWED or row.paused_at is not None:
        return None
    return next_midnight(row.overdue_from, zone) if row.overdue_from else row.day_end_at


def _more(rows: Sequence[Obligation], moment: datetime, zone: str, spent: int) -> dict[bool, int]:
    """How much more late fee of an order is owed by then (minor units), if nothing is paid: day by day, as days end.

    By whether it is left to its person's own hand.
    """
    order, more = rows[0].order, dict[bool, int]()
    ends = {row: end for row in rows if (end := _ends(row, zone)) is not None}
    units, cap = {row: row.fee_units for row in rows}, order.total.bps(order.late_fee_cap_bps).minor
    while order.late_fee_daily_bps and ends and (first := min(ends.values())) <= moment:
        for row in (row for row, end in ends.items() if end == first):
            before = units[row]
            left = cap_left(cap, spent + sum(units.values()) - before)
            units[row], whole = fee_after(before, row.owed.minor, order.late_fee_daily_bps, cap_minor=left)
            more[row.by_hand] = more.get(row.by_hand, 0) + whole - before // BPS
            ends[row] = next_midnight(first, zone)
    return more


def _taken_at(row: Obligation, coming: Coming) -> bool:
    return bool(row.plan and datetime.fromisoformat(row.plan[0]["at"]) == coming.at)
