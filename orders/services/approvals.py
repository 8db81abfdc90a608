"""What a colleague takes off a debt: from the threshold on it needs two of them, also when it is done in parts."""

from credit.rules import needs_dual_approval
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired
from orders.models import Order


def require_approval(order: Order, removed: Money, *, by: Actor) -> None:
    """Refuse to take this much off what the order's customer owes, if two colleagues have to decide it.

    Merchants decide about their own orders alone, so this applies to colleagues only.

    Raises:
        ApprovalRequired: a colleague does it without another's approval.
    """
    if by.is_unapproved_staff and removal_needs_approval(order, removed.minor):
        raise ApprovalRequired


def removal_needs_approval(order: Order, removed_minor: int) -> bool:
    """Whether taking this much off the debt needs dual approval. What single colleagues took off the order before
    counts.
    """
    if removed_minor <= 0:
        return False
    return needs_dual_approval(Money(removed_minor + reduced_alone_minor(order), order.currency))


def reduced_alone_minor(order: Order) -> int:
    """By how much single colleagues reduced the order's total (minor units), by refunds too."""
    total = reduced = 0
    for line in order.history.filter(kind__in=("completed", "modified")).order_by("seq"):
        if line.kind == "modified" and Actor.parse(line.by).is_unapproved_staff:
            reduced += total - int(line.data["total"])
        total = int(line.data["total"])
    return reduced
