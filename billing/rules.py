"""How outcomes nobody knows are asked about. Pure; the plan of attempts stands in `billing.planning`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from billing.planning import Kind
from credit.rules import in_currency
from kernel.money import BPS, Money

#: From so many hundredths of a yuan on two colleagues decide, never one alone; of another currency from what a limit of
#: that would be.
TWO_PEOPLE_FROM_MINOR = 100_000
EVIDENCE_MAX = 2000
#: How long after sending, and after each further ask, an unknown outcome is asked about.
ASK_WAITS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
#: After this long without knowing, a person is to look, beside the asking.
WONDER_AFTER = timedelta(days=3)
#: How long a charge may take before whoever finds it asks instead.
SEND_LEASE = timedelta(seconds=60)
#: How long after it moved nothing a refund's part is sent again, under its number, once for each. Then it is given up.
SEND_AGAIN = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
#: How often in a day a merchant may ask to collect one order.
COLLECTS_A_DAY = 5
#: How many obligations one debit of a person may be for.
LINES_MAX = 50
DAYS_A_YEAR, DAYS_A_MONTH = 365, 30
A_DAY = timedelta(days=1)
#: How long after another person has agreed to it money is sent to a new account.
ACCOUNT_WAITS = timedelta(hours=24)
NUMBER_MIN, NUMBER_MAX = 8, 34


@dataclass(frozen=True, slots=True)
class Costs:
    """What using first and paying later costs a person, told on an example: nothing but a late fee, if there is one."""

    example: Money
    daily_bps: int
    cap_bps: int

    @property
    def any(self) -> bool:
        return bool(self.daily_bps and self.cap_bps)

    @property
    def annual_bps(self) -> int:
        """The late fee for a year: simple, the daily share times 365, as if the cap never ended it."""
        return self.daily_bps * DAYS_A_YEAR

    @property
    def days_to_cap(self) -> int:
        """After how many days overdue it grows no further."""
        return -(-self.cap_bps // self.daily_bps)

    @property
    def after_a_month(self) -> Money:
        """The late fee on the example after thirty days overdue, rounded down, as it accrues."""
        accrued = Money(self.example.minor * self.daily_bps * DAYS_A_MONTH // BPS, self.example.currency)
        return min(accrued, self.most)

    @property
    def most(self) -> Money:
        return self.example.bps(self.cap_bps)


def two_people_from(currency: str) -> int:
    """From how much of a currency on two colleagues decide (minor units)."""
    return in_currency(TWO_PEOPLE_FROM_MINOR, currency)


def takes_two(amount: Money) -> bool:
    """Whether so much is never decided by one colleague alone."""
    return amount.minor >= two_people_from(amount.currency)


def weight(amount: Money) -> float:
    """How much it is, measured by what takes two in its currency: so amounts of several currencies are compared."""
    return amount.minor / two_people_from(amount.currency)


def next_ask(asks: int, *, at: datetime) -> datetime:
    """When the outcome is asked about again after `asks` asks."""
    return at + ASK_WAITS[min(asks, len(ASK_WAITS) - 1)]


def never_sent(asks: int, asks_min: int, sent_at: datetime, finality: timedelta, *, at: datetime) -> bool:
    """Whether "not found" may be believed: asked often enough, and past the channel's finality window."""
    return asks >= asks_min and at >= sent_at + finality


def sent_again_at(sends: int, *, at: datetime) -> datetime | None:
    """When what was sent so often in vain is sent again; nothing if that was often enough."""
    return at + SEND_AGAIN[max(sends - 1, 0)] if sends <= len(SEND_AGAIN) else None


def too_long(sent_at: datetime | None, *, at: datetime) -> bool:
    """Whether an outcome has been unknown for so long that a person should look."""
    return sent_at is not None and at >= sent_at + WONDER_AFTER


def day_before(key: UUID) -> UUID:
    """The smallest key that was made in the day before this time-ordered one, by the clock that made both."""
    milliseconds = (key.int >> 80) - A_DAY // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80)


def bank_number(text: str) -> str | None:
    """The number of a bank account as a bank knows it, or nothing for what cannot be one."""
    bare = "".join(text.split()).replace("-", "").upper()
    good = NUMBER_MIN <= len(bare) <= NUMBER_MAX and bare.isascii() and bare.isalnum()
    return bare if good else None


def masked_number(number: str) -> str:
    """What is shown of it."""
    return f"•••• {number[-4:]}"


def row_of(kinds: Sequence[str], kind: Kind) -> int:
    """How many of the latest outcomes in a row were of this kind, newest first."""
    count = 0
    for latest in kinds:
        if latest != kind:
            break
        count += 1
    return count


def parts_of(amount: int, left: Sequence[int]) -> list[int]:
    """How an amount is split over what is left in each place, the first place first."""
    shares = []
    for most in left:
        shares.append(min(amount, most))
        amount -= shares[-1]
    return shares
