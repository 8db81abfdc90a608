"""What is looked into before a merchant is let in, and how far ahead a fee may be set. Pure."""

from collections.abc import Mapping
from datetime import timedelta

#: Each has to come out well before anybody agrees to it.
CHECKS = ("registration", "licence", "sanctions", "website", "contact")
#: A fee is set at most so far ahead.
FEE_AHEAD_MAX = timedelta(days=366)
#: What a service costs unless the platform says otherwise.
STANDARD_FEE_BPS = 60


def missing(found: Mapping[str, bool]) -> tuple[str, ...]:
    """The checks that have not come out well so far, by the last word on each."""
    return tuple(name for name in CHECKS if not found.get(name, False))
