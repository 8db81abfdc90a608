"""What the house permits services to say of debts that are late."""

from kernel.versions import PolicyVersion


class LatePolicy(PolicyVersion):
    """How soon a debt is overdue at the soonest, and what that costs at the most: `merchants.rules.LateBounds`."""

    prefix = "lpl"
