"""Writes rows as CSV line by line, so that a file of any length takes little memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

#: Characters with which a formula starts in a spreadsheet.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_FORMULA_CHARS = frozenset(_FORMULA_STARTS)
#: Characters that make quoting necessary in CSV.
_QUOTED = ('"', ",", "\r", "\n")
_FIRST_CHAR = itemgetter(slice(1))
#: The byte order mark by which Excel recognises UTF-8.
UTF8_BOM = "\ufeff"


class _Echo:
    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)


def safe_cell(value: object) -> str:
    """The value as text that a spreadsheet never takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_from_columns(columns: Sequence[Sequence[str]]) -> str:
    """The same text as `csv_lines` for these columns; columns that need no escaping are written unchanged."""
    if len(columns) == 1:  # an empty cell would give an empty line
        return "".join(csv_lines([safe_cell(value)] for value in columns[0]))
    escaped = [_escape_column(column) for column in columns]
    return "\r\n".join([*map(",".join, zip(*escaped, strict=True)), ""])


def _escape_column(column: Sequence[str]) -> Sequence[str]:
    text = "".join(column)
    is_plain = not any(mark in text for mark in _QUOTED) and _FORMULA_CHARS.isdisjoint(map(_FIRST_CHAR, column))
    return column if is_plain else [_quote(safe_cell(value)) for value in column]


def _quote(text: str) -> str:
    if not any(mark in text for mark in _QUOTED):
        return text
    escaped = text.replace('"', '""')
    return f'"{escaped}"'
