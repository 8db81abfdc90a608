"""Rows as a file of comma-separated values, line by line, so that one of any length takes no memory."""

import csv
from collections.abc import Iterable, Iterator, Sequence

#: Characters at which a spreadsheet begins to calculate.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
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
