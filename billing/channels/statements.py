"""A channel's statement file, read line by line: what each line says, and what cannot be read. Pure, in little memory.

A line that makes no sense is handed on as such and keeps no other from being read.
"""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from billing.channels.layouts import KINDS, Layout, Sign, Status, UnreadableError
from kernel.money import EXPONENTS, MOST_MINOR

#: No line of a statement is as long; what is, is no statement.
LINE_BYTES_MAX = 8192
NAME_MAX = 64
RAW_MAX = 1000
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


class Entry(NamedTuple):
    """A line that was understood."""

    place: int
    number: str
    txn: str
    kind: str
    amount: int
    currency: str
    status: str
    at: datetime


class Damaged(NamedTuple):
    """A line that was not: its text as far as it can be kept, and what is wrong with it."""

    place: int
    raw: str
    why: str


class DamageError(ValueError):
    """One word for what is wrong with a line."""


class Statement:
    """One file on its way through. When it is read to its end, `trouble` says what its trailer contradicts."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self.file, self.layout = file, layout
        self.trouble = ""
        self._zone = ZoneInfo(layout.zone)
        self._count, self._sums, self._currencies = 0, dict.fromkeys(KINDS, 0), set[str]()
        self._columns: dict[str, int] = {}
        self._width = 0
        self._ended = False

    def lines(self) -> Iterator[Entry | Damaged]:
        """Everything it says, in order.

        Raises:
            UnreadableError: it has no head with the columns of the layout.
        """
        for place, raw in enumerate(self._raw(), 1):
            try:
                entry = self._line(place, raw)
            except DamageError as exc:
                if not self._columns:
                    raise UnreadableError(f"The head cannot be read: {exc}.") from exc
                self._count += 1
                yield Damaged(place, readable(raw), str(exc))
            else:
                if entry is not None:
                    yield entry
        if not self._columns:
            raise UnreadableError("The file is empty.")
        if self.layout.trailer and not self._ended:
            self.trouble = "The trailer is missing: the file is not whole."

    def _line(self, place: int, raw: bytes) -> Entry | None:
        """What one line says, if it is neither head nor trailer nor a remark."""
        cells = self._cells(raw, place)
        if cells is None:
            return None
        if not self._columns:
            self._head(cells)
        elif self.layout.trailer and cells[0] == self.layout.trailer:
            self._check(cells)
        else:
            return self._entry(place, cells)
        return None

    def _raw(self) -> Iterator[bytes]:
        """Lines as bytes, none longer than the bound: the rest of one that is too long is passed over."""
        while raw := self.file.readline(LINE_BYTES_MAX + 1):
            if len(raw) > LINE_BYTES_MAX:
                rest = raw
                while rest and not rest.endswith(b"\n"):
                    rest = self.file.readline(LINE_BYTES_MAX)
            yield raw

    def _cells(self, raw: bytes, place: int) -> list[str] | None:
        """The cells of a line; None for one that says nothing."""
        layout = self.layout
        if len(raw) > LINE_BYTES_MAX:
            raise DamageError("too_long")
        try:
            text = raw.decode(layout.encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise DamageError("encoding") from None
        if place == 1:
            text = text.removeprefix("\ufeff")
        if not text.strip() or self._remark(text):
            return None
        if "\0" in text:
            raise DamageError("nul")
        if '"' not in text:
            return [cell.strip() for cell in text.split(layout.delimiter)]
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=layout.delimiter, strict=True))]
        except csv.Error:
            raise DamageError("quotes") from None

    def _remark(self, text: str) -> bool:
        layout = self.layout
        ends = bool(layout.trailer) and text.startswith(layout.trailer)
        return bool(layout.comment) and text.startswith(layout.comment) and not ends

    def _head(self, cells: list[str]) -> None:
        layout = self.layout
        named = {name: getattr(layout, name) for name in Entry._fields if name != "place"}
        missing = [column for column in named.values() if column and column not in cells]
        if missing:
            raise UnreadableError(f"The head has no column {missing[0]!r}.")
        self._columns = {name: cells.index(column) for name, column in named.items() if column}
        self._width = len(cells)

    def _entry(self, place: int, cells: list[str]) -> Entry:
        if self._ended:
            self.trouble = "There are lines after the trailer."
        if len(cells) != self._width:
            raise DamageError("columns")
        cell = {name: cells[column] for name, column in self._columns.items()}
        currency = cell.get("currency") or self.layout.currency_always
        if not _CURRENCY.fullmatch(currency):
            raise DamageError("currency")
        status = self._status(cell)
        kind, amount = self._movement(cell, currency)
        number, txn = cell["number"], cell["txn"]
        if max(len(number), len(txn)) > NAME_MAX or not (txn or (number and status != Status.SUCCESS)):
            raise DamageError("name")
        at = self._time(cell["at"])
        self._count += 1
        if status == Status.SUCCESS:
            self._sums[kind] += amount
            self._currencies.add(currency)
        return Entry(place, number, txn, kind, amount, currency, status, at)

    def _status(self, cell: dict[str, str]) -> str:
        if not self.layout.status:
            return Status.SUCCESS
        status = self.layout.statuses.get(cell["status"])
        if status is None:
            raise DamageError("status")
        return status

    def _movement(self, cell: dict[str, str], currency: str) -> tuple[str, int]:
        """Whether it was taken or given back, and how much."""
        layout, text = self.layout, cell["amount"]
        negative = text.startswith("-")
        if negative and layout.minus is Sign.NONE:
            raise DamageError("amount")
        amount = whole(text.lstrip("+-"), 0 if layout.minor else EXPONENTS.get(currency, 2))
        if not 0 < amount <= MOST_MINOR:
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

    def _time(self, text: str) -> datetime:
        try:
            form = self.layout.time_format
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  zoned below
        except ValueError:
            raise DamageError("time") from None
        moment = moment.replace(tzinfo=self._zone) if moment.tzinfo is None else moment
        if not EARLIEST <= moment < LATEST:
            raise DamageError("time")
        return moment

    def _check(self, cells: list[str]) -> None:
        """Hold what the trailer says against what was read. Damaged lines count, and have no sums.

        Its sums are written as its amounts are, so that of several currencies with a point they say nothing.
        """
        self._ended = True
        layout = self.layout
        told = [("lines", layout.count_cell, self._count, 0)]
        if layout.minor or len(self._currencies) <= 1:
            digits = 0 if layout.minor else EXPONENTS.get(next(iter(self._currencies), ""), 2)
            told += [
                ("taken", layout.debits_cell, self._sums["debit"], digits),
                ("given back", layout.refunds_cell, self._sums["refund"], digits),
            ]
        for what, place, found, places in told:
            if place < 0 or self.trouble:
                continue
            try:
                said = whole(cells[place].lstrip("-"), places)
            except (DamageError, IndexError):
                self.trouble = f"The trailer cannot be read: {what}."
            else:
                if said != found:
                    self.trouble = f"The trailer says {said} {what}, the lines {found}."


def whole(text: str, places: int) -> int:
    """An amount with so many decimal places as whole minor units; commas between thousands are let pass.

    Raises:
        DamageError: it is none, or is more exact than its currency.
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


def readable(raw: bytes) -> str:
    """Bytes as text that can be kept and shown, whatever they are."""
    return raw[:RAW_MAX].decode("utf-8", "backslashreplace").replace("\0", "\\x00").rstrip("\r\n")[:RAW_MAX]
