"""The platform's limits for the late terms of services."""

from kernel.policy_versions import PolicyVersion


class LatePolicy(PolicyVersion):
    """Shortest grace period and highest late fees that a service may ask for: `merchants.rules.LateBounds`."""

    prefix = "lpl"
