"""What of a debt is late, and what that costs: each service says it, and the house bounds what it may say. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from kernel.money import BPS

#: How long after its due time a debt is overdue where neither the service nor the house says more.
STANDARD_GRACE = timedelta(hours=72)
GRACE_HOURS_MAX = 24 * 90
#: What each part of a policy may be.
SPANS = {"grace_hours_least": (0, GRACE_HOURS_MAX), "daily_bps_most": (0, BPS), "cap_bps_most": (0, BPS)}


@dataclass(frozen=True, slots=True)
class LateTerms:
    """A debt is overdue so long after its due time; a late fee is so much a day, and no more than so much in all."""

    grace: timedelta = STANDARD_GRACE
    late_fee_daily_bps: int = 0
    late_fee_cap_bps: int = 0

    @property
    def columns(self) -> dict[str, Any]:
        """As services and orders keep them."""
        return {name: getattr(self, name) for name in self.__slots__}

    def kinder(self, other: "LateTerms") -> "LateTerms":
        """Of each part what is better for whoever owes."""
        return LateTerms(
            max(self.grace, other.grace),
            min(self.late_fee_daily_bps, other.late_fee_daily_bps),
            min(self.late_fee_cap_bps, other.late_fee_cap_bps),
        )


@dataclass(frozen=True, slots=True)
class LateBounds:
    """A version of the policy, field by field: nobody is late sooner, or pays more for it, whatever a service says."""

    grace_hours_least: int
    daily_bps_most: int
    cap_bps_most: int

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        return cls(**{name: plain[name] for name in SPANS})

    @property
    def grace_least(self) -> timedelta:
        return timedelta(hours=self.grace_hours_least)

    def kinder(self, asked: LateTerms) -> LateTerms:
        """Of each part what is better for whoever owes."""
        return asked.kinder(LateTerms(self.grace_least, self.daily_bps_most, self.cap_bps_most))

    def beyond(self, asked: Mapping[str, Any]) -> Iterator[str]:
        """Which of these columns ask for more than is permitted; what is not asked for is not looked at."""
        kinder = self.kinder(LateTerms(**{name: asked[name] for name in LateTerms.__slots__ if name in asked}))
        return (name for name, value in kinder.columns.items() if name in asked and asked[name] != value)


def wrong_in(bounds: LateBounds) -> Iterator[str]:
    """The parts of a policy that say what cannot be."""
    return (name for name, (low, high) in SPANS.items() if not low <= getattr(bounds, name) <= high)
