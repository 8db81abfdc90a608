"""When, from what and how often money is asked for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Kind(StrEnum):
    """Class of a decline: what may follow it."""

    HARD = "hard"  # closed account, revoked mandate, fraud: never again on this instrument
    SOFT = "soft"  # no funds, limit: later
    TECHNICAL = "technical"  # the channel's own trouble: soon
    NOT_SENT = "not_sent"  # the channel is sure that nothing happened: soon


#: The published plan, `standard`: days after the due time on which what is unpaid is tried again, mornings.
RETRY_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 30)
RETRY_HOUR = time(10)
#: No automatic retry between these hours of the person's day.
QUIET_FROM, QUIET_UNTIL = time(22), time(7)
#: After the channel's own trouble: soon, then later, then as the plan has it.
TECHNICAL_WAITS = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=2))
#: How long after sending, and after each further ask, an unknown outcome is asked about.
ASK_WAITS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
#: How long a charge may take before whoever finds it asks instead.
SEND_LEASE = timedelta(seconds=60)
#: How often in a day a merchant may ask to collect one order.
COLLECTS_A_DAY = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """A planned attempt and why it stands there."""

    at: datetime
    reason: str

    def plain(self, instrument: str | None) -> dict[str, str | None]:
        return {"at": self.at.isoformat(), "instrument": instrument, "reason": self.reason}


def after_failure(
    kind: Kind, *, due_at: datetime, at: datetime, zone: str, row_of_technical: int, another_instrument: bool
) -> list[Attempt]:
    """The attempts to come after one failed at `at`.

    Hard: at once from another instrument, else none. Technical or never sent: soon. Soft: the plan's next mornings.
    """
    mornings = [
        Attempt(moment, f"retry_{day}d")
        for day in RETRY_DAYS
        if (moment := _morning(due_at + timedelta(days=day), zone)) > at
    ]
    if kind is Kind.HARD:
        return [Attempt(awake(at, zone), "next_instrument"), *mornings] if another_instrument else []
    if kind in (Kind.TECHNICAL, Kind.NOT_SENT) and row_of_technical <= len(TECHNICAL_WAITS):
        return [Attempt(awake(at + TECHNICAL_WAITS[row_of_technical - 1], zone), "channel_trouble"), *mornings]
    return mornings


def awake(moment: datetime, zone: str) -> datetime:
    """The moment itself, or the end of the quiet hours it falls into."""
    local = moment.astimezone(ZoneInfo(zone))
    if QUIET_UNTIL <= local.time() < QUIET_FROM:
        return moment
    day = local.date() if local.time() < QUIET_UNTIL else local.date() + timedelta(days=1)
    return datetime.combine(day, QUIET_UNTIL, local.tzinfo).astimezone(moment.tzinfo)


def next_ask(asks: int, *, at: datetime) -> datetime:
    """When the outcome is asked about again after `asks` asks."""
    return at + ASK_WAITS[min(asks, len(ASK_WAITS) - 1)]


def never_sent(asks: int, asks_min: int, sent_at: datetime, finality: timedelta, *, at: datetime) -> bool:
    """Whether "not found" may be believed: asked often enough, and past the channel's finality window."""
    return asks >= asks_min and at >= sent_at + finality


def row_of(kinds: Sequence[str], kind: Kind) -> int:
    """How many of the latest outcomes in a row were of this kind, newest first."""
    count = 0
    for latest in kinds:
        if latest != kind:
            break
        count += 1
    return count


def _morning(moment: datetime, zone: str) -> datetime:
    local = moment.astimezone(ZoneInfo(zone))
    return datetime.combine(local.date(), RETRY_HOUR, local.tzinfo).astimezone(moment.tzinfo)
