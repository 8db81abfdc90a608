"""Queries for refunds of an order: what was refunded of it, and what can still be."""

from dataclasses import dataclass
from uuid import UUID

from billing.models import DeductionLine, Refund
from kernel.money import Money
from orders.models import Obligation, Order


@dataclass(frozen=True, slots=True)
class RefundStatus:
    """What of an order was refunded, or is being refunded, and what can still be."""

    refunded: Money
    refundable: Money


def effective_minor(refund: Refund) -> int:
    """What the refund comes to (minor units): a failed one counts by what was really taken off or paid."""
    if refund.state == Refund.State.FAILED:
        return refund.lowered_minor + refund.returned_minor
    return refund.amount_minor


def refunded_minor_of(order_id: UUID) -> int:
    """What of the order was refunded or is being refunded (minor units)."""
    return sum(map(effective_minor, Refund.objects.filter(order_id=order_id)))


def refund_status_of(order: Order) -> RefundStatus:
    """What of the order was refunded, and what can still be: the unpaid principal and what is kept of the paid."""
    owed = sum(row.owed.minor for row in order.obligations.filter(kind=Obligation.Kind.PRINCIPAL))
    kinds = (Obligation.Kind.PRINCIPAL, Obligation.Kind.ADVANCE)
    lines = DeductionLine.objects.filter(order=order, deduction__state="succeeded", obligation__kind__in=kinds)
    refundable = owed + sum(line.kept_minor for line in lines)
    return RefundStatus(Money(refunded_minor_of(order.id), order.currency), Money(refundable, order.currency))
