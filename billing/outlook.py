"""What becomes of an order if its person does nothing from now on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.queries import Coming
from kernel.money import Money
from orders.models import Obligation, Order
from orders.queries import Sheet


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


def by_then(row: Obligation, every: Iterable[Obligation], moment: datetime, zone: str) -> Money:
    """What is owed of it then, with the late fees of the days until then; `every` are its order's, it among them."""
    others = sum(other.fee_units for other in every if other.order_id == row.order_id) - row.fee_units
    return row.owed + row.fee_until(moment, others=others, zone=zone)


def _taken_at(row: Obligation, coming: Coming) -> bool:
    return bool(row.plan and datetime.fromisoformat(row.plan[0]["at"]) == coming.at)
