"""Rows as a file of comma-separated values, line by line, so that one of any length takes no memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

#: Characters at which a spreadsheet begins to calculate.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_FORMULAS = frozenset(_FORMULA)
#: What a line of such a file writes otherwise: what has one of these in it, or begins like a formula.
_QUOTED = ('"', ",", "\r", "\n")
_FIRST = itemgetter(slice(1))
#: The mark by which Excel knows UTF-8.
MARK = "\ufeff"


class _Echo:
    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow(row)


def cell(value: object) -> str:
    """A value as a spreadsheet shows it and never calculates it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_block(columns: Sequence[Sequence[str]]) -> str:
    """What `csv_lines` writes of these columns' cells; one in which nothing is to be minded is written as it is."""
    if len(columns) == 1:  # where an empty line would be none
        return "".join(csv_lines([cell(value)] for value in columns[0]))
    minded = [_minded(column) for column in columns]
    return "\r\n".join([*map(",".join, zip(*minded, strict=True)), ""])


def _minded(column: Sequence[str]) -> Sequence[str]:
    text = "".join(column)
    plain = not any(mark in text for mark in _QUOTED) and _FORMULAS.isdisjoint(map(_FIRST, column))
    return column if plain else [_quoted(cell(value)) for value in column]


def _quoted(text: str) -> str:
    if not any(mark in text for mark in _QUOTED):
        return text
    escaped = text.replace('"', '""')
    return f'"{escaped}"'
