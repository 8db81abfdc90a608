"""Rules for unknown outcomes, resends, dual approval and account numbers. Pure; see also `billing.planning`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.planning import FailureClass
from credit.rules import dual_approval_threshold
from kernel.money import BPS, Money

EVIDENCE_MAX = 2000
#: Delays before the channel is queried for an unknown outcome: after sending, and after each further query.
QUERY_DELAYS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)
#: After this long without an outcome a case is opened for staff; querying continues.
ESCALATE_AFTER = timedelta(days=3)
#: How long a charge may take before another worker queries it instead of waiting.
SEND_LEASE = timedelta(seconds=60)
#: Delays before a refund part that moved nothing is resent under its number. After the last one it fails.
RESEND_DELAYS = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
#: Collection requests a merchant may make per order and day.
COLLECTS_A_DAY = 5
#: Obligations per deduction.
DEDUCTION_LINES_MAX = 50
DAYS_A_YEAR, DAYS_A_MONTH = 365, 30
A_DAY = timedelta(days=1)
#: Delay between the approval of a payout account and its first payout.
PAYOUT_ACCOUNT_DELAY = timedelta(hours=24)
ACCOUNT_NUMBER_MIN, ACCOUNT_NUMBER_MAX = 8, 34


@dataclass(frozen=True, slots=True)
class CostExample:
    """What an example amount costs the customer: nothing but the late fee, if there is one."""

    example: Money
    daily_bps: int
    cap_bps: int

    @property
    def has_late_fee(self) -> bool:
        return bool(self.daily_bps and self.cap_bps)

    @property
    def annual_bps(self) -> int:
        """The late fee per year: simple, the daily rate times 365, without the cap."""
        return self.daily_bps * DAYS_A_YEAR

    @property
    def days_to_cap(self) -> int:
        """After how many days overdue the cap is reached."""
        return -(-self.cap_bps // self.daily_bps)

    @property
    def fee_after_month(self) -> Money:
        """The late fee on the example after thirty days overdue, rounded down."""
        accrued = Money(self.example.minor * self.daily_bps * DAYS_A_MONTH // BPS, self.example.currency)
        return min(accrued, self.max_fee)

    @property
    def max_fee(self) -> Money:
        return self.example.bps(self.cap_bps)


def relative_amount(amount: Money) -> float:
    """The amount as a multiple of the dual approval threshold, to compare amounts of different currencies.

    A currency that we do not offer has no threshold, so that any amount of it requires dual approval.
    """
    return amount.minor / (dual_approval_threshold(amount.currency) or 1)


def next_query_at(asks: int, *, at: datetime) -> datetime:
    """When the channel is queried again after `asks` queries."""
    return at + QUERY_DELAYS[min(asks, len(QUERY_DELAYS) - 1)]


def is_not_sent(asks: int, min_queries: int, sent_at: datetime, finality: timedelta, *, at: datetime) -> bool:
    """Whether "not found" is final: queried often enough, and past the channel's finality window."""
    return asks >= min_queries and at >= sent_at + finality


def next_resend_at(sends: int, *, at: datetime) -> datetime | None:
    """When a refund part that was sent `sends` times is resent; None if it has failed for good."""
    return at + RESEND_DELAYS[max(sends - 1, 0)] if sends <= len(RESEND_DELAYS) else None


def should_escalate(sent_at: datetime | None, *, at: datetime) -> bool:
    """Whether an outcome has been unknown for so long that staff should look."""
    return sent_at is not None and at >= sent_at + ESCALATE_AFTER


def key_one_day_before(key: UUID) -> UUID:
    """The smallest UUIDv7 of the time one day before this one's."""
    milliseconds = (key.int >> 80) - A_DAY // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80)


def normalize_account_number(text: str) -> str | None:
    """The account number without blanks and hyphens, in upper case; None if it cannot be one."""
    number = "".join(text.split()).replace("-", "").upper()
    is_valid = ACCOUNT_NUMBER_MIN <= len(number) <= ACCOUNT_NUMBER_MAX and number.isascii() and number.isalnum()
    return number if is_valid else None


def mask_account_number(number: str) -> str:
    """The number with only its last four characters visible."""
    return f"•••• {number[-4:]}"


def streak_length(kinds: Sequence[str], kind: FailureClass) -> int:
    """How many of the latest outcomes, given newest first, are of this kind without interruption."""
    count = 0
    for latest in kinds:
        if latest != kind:
            break
        count += 1
    return count


def allocate(amount: int, limits: Sequence[int]) -> list[int]:
    """Split an amount over limits, filling the first one first."""
    shares = []
    for most in limits:
        shares.append(min(amount, most))
        amount -= shares[-1]
    return shares
