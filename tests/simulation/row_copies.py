"""Copies template rows, which the services wrote, by SQL for many numbers.

Only the named columns differ from the template; all others are copied, whatever columns there are. Database triggers
apply to copies as well, so a lifecycle is copied in its initial state and then updated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

#: Keys of copies are older than every real key, and sort by role and number.
_TIME = "018000000000"
_PATIENCE = "SET LOCAL statement_timeout = '120s'"


class Role(IntEnum):
    """The kind of a copied row, stored in its key where a UUIDv7 has its sub-millisecond bits."""

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
    #: Last, with room for a subject's webhook events in sequence.
    NEWS = 30


def copy_key(role: int, number: int) -> UUID:
    """The key of a copy."""
    return UUID(hex=f"{_TIME}7{role:03x}8{number:015x}")


def copy_key_hex_sql(role: int, number: str = "n.number") -> str:
    """The same as SQL, as 32 hex digits; `number` is a column."""
    return f"('{_TIME}7{role:03x}8' || lpad(to_hex({number}), 15, '0'))"


def copy_key_sql(role: int, number: str = "n.number") -> str:
    """The same as SQL, as a UUID."""
    return f"{copy_key_hex_sql(role, number)}::uuid"


@dataclass(frozen=True, slots=True)
class RowCopy:
    """A row of the pattern, and what is different in its copies: SQL over `n`, the wanted, and `old`, the pattern."""

    template: models.Model
    changes: Mapping[str, str]

    @property
    def table(self) -> str:
        return self.template._meta.db_table

    @property
    def columns(self) -> list[str]:
        """All columns except those with a database default."""
        every = self.template._meta.concrete_fields
        return [f.column for f in every if f.column in self.changes or not f.has_db_default()]

    @property
    def key(self) -> str:
        return str(self.template._meta.pk.column)

    def value(self, column: str) -> str:
        return self.changes.get(column, f'old."{column}"')


@dataclass(frozen=True, slots=True)
class CopyBatch:
    """What is to be copied: for each number the values that SQL calls `n.<name>`, by name and type."""

    columns: Mapping[str, Sequence[Any]]
    types: Mapping[str, str] = field(default_factory=dict)

    @transaction.atomic
    def insert(self, *copies: RowCopy) -> None:
        """Insert the copies in one statement."""
        parts = [
            f"c{place} AS (INSERT INTO {copy.table} ({', '.join(copy.columns)})"  # noqa: S608  our own names
            f" SELECT {', '.join(map(copy.value, copy.columns))} FROM {copy.table} old, n"
            f" WHERE old.{copy.key} = %s ORDER BY n.number)"
            for place, copy in enumerate(copies)
        ]
        self.run(f", {', '.join(parts)} SELECT", [copy.template.pk for copy in copies])

    def update(self, copy: RowCopy, row: str, *, kept: Mapping[str, str]) -> None:
        """Take copies, whose key `row` says, on to where the pattern is now; what made them themselves is `kept`."""
        moved = [column for column in copy.columns if column != copy.key and column not in kept]
        values = ", ".join(f"{column} = {copy.value(column)}" for column in moved)
        self.run(
            f"UPDATE {copy.table} new SET {values} FROM {copy.table} old, n"  # noqa: S608  our own names
            f" WHERE old.{copy.key} = %s AND new.{copy.key} = {row}",
            [copy.template.pk],
        )

    @transaction.atomic
    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Execute a statement that may refer to `n`."""
        arrays = ", ".join(f"%s::{self.types[name]}[]" for name in self.columns)
        wanted = f"WITH n AS (SELECT * FROM unnest({arrays}) AS n ({', '.join(self.columns)}))"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(_PATIENCE)
            cursor.execute(f"{wanted} {statement}", [*map(list, self.columns.values()), *values])
