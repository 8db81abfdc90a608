"""Streaming reader of channels' statement files. Pure, with constant memory.

A damaged line is returned as such and does not stop the others from being read.
"""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from billing.channels.statement_layouts import KINDS, Sign, StatementLayout, Status, UnreadableError
from kernel.money import AMOUNT_MINOR_MAX, EXPONENTS

#: Longer lines are damaged.
LINE_BYTES_MAX = 8192
NAME_MAX = 64
RAW_MAX = 1000
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


class Entry(NamedTuple):
    """A parsed line."""

    place: int
    number: str
    txn: str
    kind: str
    amount: int
    currency: str
    status: str
    at: datetime


class Damaged(NamedTuple):
    """A line that could not be parsed: its text, truncated, and the error code."""

    place: int
    raw: str
    why: str


class DamageError(ValueError):
    """A line cannot be parsed; the message is an error code."""


class StatementReader:
    """Reads one file. Once it is read to the end, `trouble` says how the trailer contradicts the lines."""

    def __init__(self, file: BinaryIO, layout: StatementLayout) -> None:
        self.file, self.layout = file, layout
        self.trouble = ""
        self._zone = ZoneInfo(layout.zone)
        self._count, self._sums, self._currencies = 0, dict.fromkeys(KINDS, 0), set[str]()
        self._columns: dict[str, int] = {}
        self._width = 0
        self._ended = False

    def lines(self) -> Iterator[Entry | Damaged]:
        """All lines in order, without header, trailer and comments.

        Raises:
            UnreadableError: the header does not have the columns of the layout.
        """
        for place, raw in enumerate(self._read_lines(), 1):
            try:
                entry = self._parse_line(place, raw)
            except DamageError as exc:
                if not self._columns:
                    raise UnreadableError(f"The head cannot be read: {exc}.") from exc
                self._count += 1
                yield Damaged(place, to_printable(raw), str(exc))
            else:
                if entry is not None:
                    yield entry
        if not self._columns:
            raise UnreadableError("The file is empty.")
        if self.layout.trailer and not self._ended:
            self.trouble = "The trailer is missing: the file is not whole."

    def _parse_line(self, place: int, raw: bytes) -> Entry | None:
        """Parse one line; None for the header, the trailer and comments."""
        cells = self._split_cells(raw, place)
        if cells is None:
            return None
        if not self._columns:
            self._read_header(cells)
        elif self.layout.trailer and cells[0] == self.layout.trailer:
            self._check_trailer(cells)
        else:
            return self._parse_entry(place, cells)
        return None

    def _read_lines(self) -> Iterator[bytes]:
        """Lines as bytes, at most one byte above the limit: the rest of a longer line is skipped."""
        while raw := self.file.readline(LINE_BYTES_MAX + 1):
            if len(raw) > LINE_BYTES_MAX:
                rest = raw
                while rest and not rest.endswith(b"\n"):
                    rest = self.file.readline(LINE_BYTES_MAX)
            yield raw

    def _split_cells(self, raw: bytes, place: int) -> list[str] | None:
        """The cells of a line; None for blank lines and comments."""
        layout = self.layout
        if len(raw) > LINE_BYTES_MAX:
            raise DamageError("too_long")
        try:
            text = raw.decode(layout.encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise DamageError("encoding") from None
        if place == 1:
            text = text.removeprefix("\ufeff")
        if not text.strip() or self._is_comment(text):
            return None
        if "\0" in text:
            raise DamageError("nul")
        if '"' not in text:
            return [cell.strip() for cell in text.split(layout.delimiter)]
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=layout.delimiter, strict=True))]
        except csv.Error:
            raise DamageError("quotes") from None

    def _is_comment(self, text: str) -> bool:
        layout = self.layout
        ends = bool(layout.trailer) and text.startswith(layout.trailer)
        return bool(layout.comment) and text.startswith(layout.comment) and not ends

    def _read_header(self, cells: list[str]) -> None:
        layout = self.layout
        named = {name: getattr(layout, name) for name in Entry._fields if name != "place"}
        missing = [column for column in named.values() if column and column not in cells]
        if missing:
            raise UnreadableError(f"The head has no column {missing[0]!r}.")
        self._columns = {name: cells.index(column) for name, column in named.items() if column}
        self._width = len(cells)

    def _parse_entry(self, place: int, cells: list[str]) -> Entry:
        if self._ended:
            self.trouble = "There are lines after the trailer."
        if len(cells) != self._width:
            raise DamageError("columns")
        cell = {name: cells[column] for name, column in self._columns.items()}
        currency = cell.get("currency") or self.layout.currency_always
        if not _CURRENCY.fullmatch(currency):
            raise DamageError("currency")
        status = self._parse_status(cell)
        kind, amount = self._parse_amount(cell, currency)
        number, txn = cell["number"], cell["txn"]
        if max(len(number), len(txn)) > NAME_MAX or not (txn or (number and status != Status.SUCCESS)):
            raise DamageError("name")
        at = self._parse_time(cell["at"])
        self._count += 1
        if status == Status.SUCCESS:
            self._sums[kind] += amount
            self._currencies.add(currency)
        return Entry(place, number, txn, kind, amount, currency, status, at)

    def _parse_status(self, cell: dict[str, str]) -> str:
        if not self.layout.status:
            return Status.SUCCESS
        status = self.layout.statuses.get(cell["status"])
        if status is None:
            raise DamageError("status")
        return status

    def _parse_amount(self, cell: dict[str, str], currency: str) -> tuple[str, int]:
        """The kind of the movement and its amount in minor units."""
        layout, text = self.layout, cell["amount"]
        negative = text.startswith("-")
        if negative and layout.minus is Sign.NONE:
            raise DamageError("amount")
        amount = parse_minor(text.lstrip("+-"), 0 if layout.minor else EXPONENTS.get(currency, 2))
        if not 0 < amount <= AMOUNT_MINOR_MAX:
            raise DamageError("amount")
        if layout.kind:
            kind = layout.kinds.get(cell["kind"])
        elif layout.minus is Sign.NONE:
            kind = "debit"
        else:
            kind = "refund" if negative == (layout.minus is Sign.REFUND) else "debit"
        if kind is None:
            raise DamageError("kind")
        return kind, amount

    def _parse_time(self, text: str) -> datetime:
        try:
            form = self.layout.time_format
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  zoned below
        except ValueError:
            raise DamageError("time") from None
        moment = moment.replace(tzinfo=self._zone) if moment.tzinfo is None else moment
        if not EARLIEST <= moment < LATEST:
            raise DamageError("time")
        return moment

    def _check_trailer(self, cells: list[str]) -> None:
        """Compare the trailer with what was read. Damaged lines are counted but not summed.

        Decimal sums are compared only if the file has one currency.
        """
        self._ended = True
        layout = self.layout
        expected = [("lines", layout.count_cell, self._count, 0)]
        if layout.minor or len(self._currencies) <= 1:
            digits = 0 if layout.minor else EXPONENTS.get(next(iter(self._currencies), ""), 2)
            expected += [
                ("taken", layout.debits_cell, self._sums["debit"], digits),
                ("given back", layout.refunds_cell, self._sums["refund"], digits),
            ]
        for what, place, counted, places in expected:
            if place < 0 or self.trouble:
                continue
            try:
                stated = parse_minor(cells[place].lstrip("-"), places)
            except (DamageError, IndexError):
                self.trouble = f"The trailer cannot be read: {what}."
            else:
                if stated != counted:
                    self.trouble = f"The trailer says {stated} {what}, the lines {counted}."


def parse_minor(text: str, places: int) -> int:
    """Parse an amount into minor units of a currency with so many decimal places. Thousands commas are allowed.

    Raises:
        DamageError: it is not an amount, or has too many decimal places.
    """
    text = text.replace(",", "")
    if not _AMOUNT.fullmatch(text):
        raise DamageError("amount")
    if "." not in text:
        return int(text) * int(10**places)
    minor = Decimal(text).scaleb(places)
    if minor != int(minor):
        raise DamageError("amount")
    return int(minor)


def to_printable(raw: bytes) -> str:
    """Any bytes as text that can be stored and shown, truncated to RAW_MAX."""
    return raw[:RAW_MAX].decode("utf-8", "backslashreplace").replace("\0", "\\x00").rstrip("\r\n")[:RAW_MAX]
