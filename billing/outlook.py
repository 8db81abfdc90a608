"""What becomes of an order if its person does nothing from now on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.queries import Coming
from kernel.money import Money
from orders.models import Obligation, Order
from orders.queries import Sheet


@dataclass(frozen=True, slots=True)
class Outlook:
    """The deduction that comes by itself and how much it takes; when the order falls overdue and what it costs then."""

    coming: Coming | None
    takes: Money
    overdue_from: datetime | None
    fee_bps: int
    fee_cap: Money
    #: Whether anything is owed that a late fee would be on: fees earn none.
    costs: bool


def outlook_of(sheet: Sheet, planned: Sequence[Coming]) -> Outlook | None:
    """None where nothing happens by itself: nothing is owed, it stands still, or a deduction is under way."""
    owed = [row for row in sheet.obligations if row.state in Obligation.OWED]
    if not owed or sheet.in_flight or any(row.paused_at for row in owed):
        return None
    order, coming = sheet.order, planned[0] if planned else None
    deadlines = [row.overdue_from for row in owed if row.overdue_from is not None]
    return Outlook(
        coming=coming,
        takes=Money(sum(row.owed.minor for row in owed if _taken_at(row, coming)), order.currency),
        overdue_from=min(deadlines) if deadlines and order.state == Order.State.COMPLETED else None,
        fee_bps=order.late_fee_daily_bps,
        fee_cap=order.total.bps(order.late_fee_cap_bps),
        costs=any(row.kind == Obligation.Kind.PRINCIPAL for row in owed),
    )


def _taken_at(row: Obligation, coming: Coming | None) -> bool:
    return bool(coming and row.plan and datetime.fromisoformat(row.plan[0]["at"]) == coming.at)
