"""Layouts of channels' statement files: the names and meanings of columns, as data. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

#: Kinds of lines: charged, refunded by us, or reversed by the channel.
KINDS = ("debit", "refund", "return")


class UnreadableError(ValueError):
    """The file is not a statement in this layout, or the layout itself is invalid."""


class Status(StrEnum):
    """The outcome of a movement in a statement."""

    SUCCESS = "success"
    FAILED = "failed"
    PENDING = "pending"


class Sign(StrEnum):
    """What a minus sign before an amount means."""

    NONE = "none"
    REFUND = "refund"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLayout:
    """The layout of a channel's statements. A column that it does not have is an empty string."""

    number: str
    txn: str
    amount: str
    at: str
    kind: str = ""
    currency: str = ""
    status: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    #: True if amounts are in minor units; otherwise they are decimals.
    minor: bool = False
    minus: Sign = Sign.NONE
    currency_always: str = "CNY"
    #: A strptime format; empty for ISO 8601. `zone` is that of times without one, and of the channel's day.
    time_format: str = ""
    zone: str = "Asia/Shanghai"
    #: The channel's words for each of KINDS and of Status.
    kinds: Mapping[str, str] = field(default_factory=lambda: {kind: kind for kind in KINDS})
    statuses: Mapping[str, str] = field(default_factory=lambda: {status.value: status.value for status in Status})
    #: Prefix of comment lines.
    comment: str = "#"
    #: The first cell of the trailer line; empty if there is none. Then the cells that hold the number of lines and
    #: the sums of debits and refunds; -1 if absent.
    trailer: str = ""
    count_cell: int = -1
    debits_cell: int = -1
    refunds_cell: int = -1

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Parse a layout written in TOML.

        Raises:
            UnreadableError: the layout is invalid.
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

    def day_bounds(self, day: date) -> tuple[datetime, datetime]:
        """The start and end of the channel's day, in UTC."""
        zone = ZoneInfo(self.zone)
        begin, end = (datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1))
        return begin, end


#: The layout that the sandbox bank writes, and the default for imports.
DEFAULT_LAYOUT = StatementLayout(
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
