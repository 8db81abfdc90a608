"""Rows after a pattern: one that the services wrote, written again by SQL for each of many numbers.

Only what is named differs from the pattern; every other column is the pattern's own, whatever columns there are. The
database's guards hold for a copy as for any row: a life is copied as it began, then moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

#: Keys of copies stand in time before every key that is made while they live, and sort by their role and number.
_TIME = "018000000000"
_PATIENCE = "SET LOCAL statement_timeout = '120s'"


class Role(IntEnum):
    """What a copied row is: it stands in its key, where a UUIDv7 has the fraction of its millisecond."""

    USER = 1
    PERSON = 2
    PERSON_EVENTS = 3
    INSTRUMENT = 10
    AGREEMENT = 11
    AGREEMENT_EVENTS = 12
    AGREEMENT_DECISION = 14
    ORDER = 20
    ORDER_EVENTS = 21
    ORDER_DECISION = 23
    OBLIGATION = 24
    OBLIGATION_EVENTS = 25
    POSTINGS = 26
    #: Last, and with room: a subject's events in their sequence.
    NEWS = 30


def key(role: int, number: int) -> UUID:
    """The key of a copy."""
    return UUID(hex=f"{_TIME}7{role:03x}8{number:015x}")


def hex_of(role: int, number: str = "n.number") -> str:
    """The same in SQL, as 32 digits; `number` is a column."""
    return f"('{_TIME}7{role:03x}8' || lpad(to_hex({number}), 15, '0'))"


def key_of(role: int, number: str = "n.number") -> str:
    """The same in SQL, as a key."""
    return f"{hex_of(role, number)}::uuid"


@dataclass(frozen=True, slots=True)
class Copy:
    """A row of the pattern, and what is different in its copies: SQL over `n`, the wanted, and `old`, the pattern."""

    old: models.Model
    changes: Mapping[str, str]

    @property
    def table(self) -> str:
        return self.old._meta.db_table

    @property
    def columns(self) -> list[str]:
        """All of them but those that the database fills in by itself."""
        every = self.old._meta.concrete_fields
        return [f.column for f in every if f.column in self.changes or not f.has_db_default()]

    @property
    def key(self) -> str:
        return str(self.old._meta.pk.column)

    def value(self, column: str) -> str:
        return self.changes.get(column, f'old."{column}"')


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be copied: for each number the values that SQL calls `n.<name>`, by name and type."""

    columns: Mapping[str, Sequence[Any]]
    types: Mapping[str, str] = field(default_factory=dict)

    @transaction.atomic
    def insert(self, *copies: Copy) -> None:
        """Write the copies, all in one statement."""
        parts = [
            f"c{place} AS (INSERT INTO {copy.table} ({', '.join(copy.columns)})"  # noqa: S608  our own names
            f" SELECT {', '.join(map(copy.value, copy.columns))} FROM {copy.table} old, n"
            f" WHERE old.{copy.key} = %s ORDER BY n.number)"
            for place, copy in enumerate(copies)
        ]
        self.run(f", {', '.join(parts)} SELECT", [copy.old.pk for copy in copies])

    def move(self, copy: Copy, row: str, *, kept: Mapping[str, str]) -> None:
        """Take copies, whose key `row` says, on to where the pattern is now; what made them themselves is `kept`."""
        moved = [column for column in copy.columns if column != copy.key and column not in kept]
        values = ", ".join(f"{column} = {copy.value(column)}" for column in moved)
        self.run(
            f"UPDATE {copy.table} new SET {values} FROM {copy.table} old, n"  # noqa: S608  our own names
            f" WHERE old.{copy.key} = %s AND new.{copy.key} = {row}",
            [copy.old.pk],
        )

    @transaction.atomic
    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """A statement that may speak of `n`."""
        arrays = ", ".join(f"%s::{self.types[name]}[]" for name in self.columns)
        wanted = f"WITH n AS (SELECT * FROM unnest({arrays}) AS n ({', '.join(self.columns)}))"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(_PATIENCE)
            cursor.execute(f"{wanted} {statement}", [*map(list, self.columns.values()), *values])
