"""The terms that a person agrees to when opening a service. Pure."""

from dataclasses import dataclass
from hashlib import sha256

from merchants.rules.late_terms import LateTerms


@dataclass(frozen=True, slots=True)
class ServiceTerms:
    """The ceiling of an order, whether the person confirms each order, and the late terms."""

    ceiling_minor: int
    confirmation: bool
    late: LateTerms

    @property
    def fingerprint(self) -> str:
        """A short hash of the terms; different terms have another."""
        late = f"{self.late.grace.total_seconds():.0f}/{self.late.late_fee_daily_bps}/{self.late.late_fee_cap_bps}"
        return sha256(f"{self.ceiling_minor}/{self.confirmation}/{late}".encode()).hexdigest()[:24]

    def is_worse_than(self, agreed: "ServiceTerms") -> bool:
        """Whether any part of these terms is worse for the person than the agreed ones."""
        return (
            self.ceiling_minor > agreed.ceiling_minor
            or (agreed.confirmation and not self.confirmation)
            or self.late.most_lenient(agreed.late) != self.late
        )
