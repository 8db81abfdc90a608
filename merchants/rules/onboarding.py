"""The checks before a merchant goes live, and limits for its fees. Pure."""

from collections.abc import Mapping
from datetime import timedelta

#: All have to pass before a merchant can be approved.
CHECKS = ("registration", "licence", "sanctions", "website", "contact")
#: How far ahead a fee change may be scheduled.
FEE_AHEAD_MAX = timedelta(days=366)
#: The fee of a service unless the platform sets another, in basis points.
STANDARD_FEE_BPS = 60


def missing_checks(results: Mapping[str, bool]) -> tuple[str, ...]:
    """The checks whose latest result is not a pass."""
    return tuple(name for name in CHECKS if not results.get(name, False))
