"""Grace period and late fees: each service asks for its own, within the limits of the platform's policy. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from kernel.money import BPS

#: The grace period where neither the service nor the policy asks for a longer one.
STANDARD_GRACE = timedelta(hours=72)
GRACE_HOURS_MAX = 24 * 90
#: The permitted range of each field of a policy.
POLICY_RANGES = {"grace_hours_least": (0, GRACE_HOURS_MAX), "daily_bps_most": (0, BPS), "cap_bps_most": (0, BPS)}


@dataclass(frozen=True, slots=True)
class LateTerms:
    """The grace period after the due time; the late fee per day, and its cap, in basis points."""

    grace: timedelta = STANDARD_GRACE
    late_fee_daily_bps: int = 0
    late_fee_cap_bps: int = 0

    @property
    def columns(self) -> dict[str, Any]:
        """The terms as columns of services and orders."""
        return {name: getattr(self, name) for name in self.__slots__}

    def most_lenient(self, other: "LateTerms") -> "LateTerms":
        """For each field the value that is better for the debtor."""
        return LateTerms(
            max(self.grace, other.grace),
            min(self.late_fee_daily_bps, other.late_fee_daily_bps),
            min(self.late_fee_cap_bps, other.late_fee_cap_bps),
        )


@dataclass(frozen=True, slots=True)
class LateBounds:
    """A version of the policy: the shortest grace period and the highest late fees that apply, whatever a service asks.

    The field names are those of the stored policy terms.
    """

    grace_hours_least: int
    daily_bps_most: int
    cap_bps_most: int

    @classmethod
    def from_terms(cls, policy_terms: Mapping[str, Any]) -> Self:
        return cls(**{name: policy_terms[name] for name in POLICY_RANGES})

    @property
    def grace_least(self) -> timedelta:
        return timedelta(hours=self.grace_hours_least)

    def clamp(self, terms: LateTerms) -> LateTerms:
        """These terms within the bounds: for each field the value that is better for the debtor."""
        return terms.most_lenient(LateTerms(self.grace_least, self.daily_bps_most, self.cap_bps_most))

    def violations(self, terms: Mapping[str, Any]) -> Iterator[str]:
        """The columns among these that are outside the bounds; missing ones are not checked."""
        permitted = self.clamp(LateTerms(**{name: terms[name] for name in LateTerms.__slots__ if name in terms}))
        return (name for name, value in permitted.columns.items() if name in terms and terms[name] != value)


def out_of_range_fields(bounds: LateBounds) -> Iterator[str]:
    """The fields of a policy that are out of range."""
    return (name for name, (low, high) in POLICY_RANGES.items() if not low <= getattr(bounds, name) <= high)
