"""What was refunded of an order so far, pending refunds included, and what is left to refund."""

from dataclasses import dataclass

from billing.models import Refund
from kernel.money import Money
from orders.models import Order


def newest_refund(order: Order) -> str:
    """The public id of the order's newest refund; "" if there is none."""
    row = Refund.objects.filter(order=order).order_by("-id").first()
    return row.public_id if row else ""


@dataclass(frozen=True, slots=True)
class RefundTotals:
    """The refunds of one order, added up."""

    refunded: Money
    refundable: Money


def refund_totals(order: Order) -> RefundTotals:
    """Add up the order's refunds. A failed one counts by what was really refunded."""
    rows = list(Refund.objects.filter(order=order))
    done = [
        row.lowered_minor + row.returned_minor if row.state == Refund.State.FAILED else row.amount_minor for row in rows
    ]
    # what reduced the debt is no longer in the order's total
    paid_back = sum(done) - sum(row.lowered_minor for row in rows)
    left = max(order.total.minor - paid_back, 0)
    return RefundTotals(Money(sum(done), order.currency), Money(left, order.currency))
