"""What a person says yes to when they open a service. Pure."""

from dataclasses import dataclass
from hashlib import sha256

from merchants.rules.late import LateTerms


@dataclass(frozen=True, slots=True)
class Terms:
    """The most an order may come to, whether each waits for a yes, and what being late costs."""

    ceiling_minor: int
    confirmation: bool
    late: LateTerms

    @property
    def seal(self) -> str:
        """A word for them; other terms have another."""
        late = f"{self.late.grace.total_seconds():.0f}/{self.late.late_fee_daily_bps}/{self.late.late_fee_cap_bps}"
        return sha256(f"{self.ceiling_minor}/{self.confirmation}/{late}".encode()).hexdigest()[:24]

    def asks_for_more_than(self, agreed: "Terms") -> bool:
        """Whether in any part they are worse for whoever agreed to those."""
        return (
            self.ceiling_minor > agreed.ceiling_minor
            or (agreed.confirmation and not self.confirmation)
            or self.late.kinder(agreed.late) != self.late
        )
