"""Whether a refund needs dual approval, together with what was refunded or taken off the order before."""

from billing.models import RefundEvent
from billing.refund_queries import effective_minor
from credit.rules import needs_dual_approval
from kernel.actor import Actor
from kernel.money import Money
from orders import services as orders
from orders.models import Order


def refund_needs_approval(order: Order, amount_minor: int) -> bool:
    """Whether refunding this amount needs dual approval. What single colleagues refunded of the order, or took off its
    total, before counts.
    """
    return needs_dual_approval(Money(amount_minor + _removed_alone_minor(order), order.currency))


def _removed_alone_minor(order: Order) -> int:
    """What single colleagues refunded of the order or took off its total (minor units).

    Failed refunds count by what was really paid. What a refund took off the total counts once.
    """
    events = RefundEvent.objects.filter(subject__order=order, kind="asked", by__startswith="staff:")
    rows = [line.subject for line in events.select_related("subject") if Actor.parse(line.by).is_unapproved_staff]
    refunded = sum(map(effective_minor, rows))
    return refunded + orders.reduced_alone_minor(order) - sum(row.lowered_minor for row in rows)
