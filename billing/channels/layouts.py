"""How a channel writes its statement files: what its columns are called and mean. Pure; data, not code."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

#: What a line may be about: taken, given back by us, or taken back by the channel.
KINDS = ("debit", "refund", "return")


class UnreadableError(ValueError):
    """The file is not a statement in this layout at all."""


class Status(StrEnum):
    """What a channel says became of a movement."""

    SUCCESS = "success"
    FAILED = "failed"
    PENDING = "pending"


class Sign(StrEnum):
    """What a minus before an amount means."""

    NONE = "none"
    REFUND = "refund"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a channel writes its statements. A column that it does not have is empty here."""

    number: str
    txn: str
    amount: str
    at: str
    kind: str = ""
    currency: str = ""
    status: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    #: Amounts are whole minor units; otherwise they have a decimal point.
    minor: bool = False
    minus: Sign = Sign.NONE
    currency_always: str = "CNY"
    #: As strptime reads it; empty for ISO 8601. What names no zone is in this one, in which the channel's day ends too.
    time_format: str = ""
    zone: str = "Asia/Shanghai"
    #: The channel's words for `debit` and `refund`, and for `success`, `failed` and `pending`.
    kinds: Mapping[str, str] = field(default_factory=lambda: {kind: kind for kind in KINDS})
    statuses: Mapping[str, str] = field(default_factory=lambda: {status.value: status.value for status in Status})
    #: Lines that begin so say nothing.
    comment: str = "#"
    #: What the last line begins with; empty where there is none. Then the cells with how many lines there were, and
    #: the sums of what was taken and given back; -1 where it does not say.
    trailer: str = ""
    count_cell: int = -1
    debits_cell: int = -1
    refunds_cell: int = -1

    @classmethod
    def of(cls, text: str) -> Self:
        """A layout as somebody wrote it down, in TOML.

        Raises:
            UnreadableError: it is not one.
        """
        try:
            given = tomllib.loads(text)
            made = cls(**{**given, "minus": Sign(given.get("minus", Sign.NONE))})
            ZoneInfo(made.zone)
            "".encode(made.encoding)
        except (TypeError, ValueError, LookupError, OSError) as exc:
            raise UnreadableError(f"This is no layout: {exc}") from exc
        unknown = {*made.kinds.values()} - {*KINDS} | {*made.statuses.values()} - {*Status}
        if unknown:
            raise UnreadableError(f"A layout has no word {min(unknown)!r}.")
        return made

    def window(self, day: date) -> tuple[datetime, datetime]:
        """From when until when the channel's day is."""
        zone = ZoneInfo(self.zone)
        begin, end = (datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1))
        return begin, end


#: What the sandbox bank writes, and what an operator without a layout of their own may write as well.
PLAIN = Layout(
    number="number",
    txn="transaction",
    kind="kind",
    amount="amount_minor",
    currency="currency",
    status="status",
    at="time",
    minor=True,
    trailer="END",
    count_cell=1,
    debits_cell=2,
    refunds_cell=3,
)
