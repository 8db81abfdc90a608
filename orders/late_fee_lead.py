"""With which of an order's debts its late fee is collected."""

from collections.abc import Sequence

from orders.models import Obligation


def lead_obligation(debts: Sequence[Obligation]) -> Obligation:
    """The overdue debt that an order's late fee is collected with: the oldest with a planned attempt, or the oldest."""
    return next((row for row in debts if row.plan), debts[0])
