"""The overdue status of an order as its person sees it."""

from dataclasses import dataclass
from datetime import datetime

from kernel.money import BPS, Money
from orders.models import Obligation, Order
from orders.queries import OrderDetails
from orders.rules import remaining_cap


@dataclass(frozen=True, slots=True)
class OverdueStatus:
    """An overdue order as its person sees it: since when, for how many days, and its late fee now and later."""

    due_at: datetime
    since: datetime
    days: int
    fee: Money
    #: The unpaid part of the purchase, and the late fee that another day adds to it, rounded to the minor unit.
    unpaid: Money
    daily: Money
    #: The most the fee can come to. Waived fees count toward the order's cap.
    cap: Money
    #: Nothing of the purchase adds to the fee any more because what is unpaid was written off.
    written_off: bool

    @property
    def is_capped(self) -> bool:
        return self.fee >= self.cap


def overdue_status_of(details: OrderDetails) -> OverdueStatus | None:
    """The overdue status of this order; None while it is not overdue."""
    order = details.order
    if order.state != Order.State.OVERDUE or order.overdue_at is None:
        return None
    principal = [row for row in details.obligations if row.kind == Obligation.Kind.PRINCIPAL]
    late_fees = [row for row in details.obligations if row.kind == Obligation.Kind.LATE_FEE]
    charged_fees = [row for row in late_fees if row.state != Obligation.State.WAIVED]
    unpaid_rows = [row for row in details.obligations if row.owed and row not in late_fees] or principal
    unpaid = Money(sum(row.owed.minor for row in principal if row.state == Obligation.State.OVERDUE), order.currency)
    fee, cap = sum(row.amount_minor for row in charged_fees), order.total.bps(order.late_fee_cap_bps).minor
    units = sum(row.fee_units for row in principal)
    remaining_fees = [remaining_cap(cap, units - row.fee_units) - row.fee_units // BPS for row in principal]
    return OverdueStatus(
        due_at=min(row.due_at for row in unpaid_rows),
        since=order.overdue_at,
        days=max(row.overdue_days for row in unpaid_rows),
        fee=Money(fee, order.currency),
        unpaid=unpaid,
        daily=unpaid.bps(order.late_fee_daily_bps),
        cap=Money(fee + max([0, *remaining_fees]), order.currency),
        written_off=not unpaid and any(row.state == Obligation.State.WRITTEN_OFF for row in principal),
    )
