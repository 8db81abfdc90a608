"""Rows, one or thousands, each with its own values, in one statement whose text does not grow with their number.

They are given as one parameter, JSON, which PostgreSQL takes apart by the types of the columns. Django's bulk_update
builds a CASE of every row for every column, and bulk_create an expression for every value: in a sweep that costs more
than everything else it does. An array for each column costs PostgreSQL more for a single row than the row itself.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import DatabaseDefault
from psycopg2.extensions import Binary

from kernel.prepared import Question

#: Fields whose values are written as they stand, and fields made of these that convert no otherwise.
_AS_THEY_ARE = (
    models.UUIDField,
    models.DateTimeField,
    models.DateField,
    models.IntegerField,
    models.BigAutoField,
    models.BooleanField,
    models.CharField,
    models.TextField,
)
_CONVERSIONS = ("get_prep_value", "get_db_prep_value", "get_db_prep_save")
#: The character that no text of PostgreSQL holds, as JSON spells it; a backslash before it makes it six letters.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def update_all(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Write these fields of these rows of one table, as they stand on the instances, in one UPDATE.

    The caller has locked the rows, in the order of their keys.
    """
    names = tuple(names)
    if not rows or not names:
        return
    statement = _update_of(type(rows[0]), names)
    statement.question.send(statement.given(rows), [row.pk for row in rows])


def insert_all(rows: Sequence[models.Model]) -> None:
    """Write these new rows of one table, in their order, in one INSERT; what the database fills in is left to it."""
    if not rows:
        return
    model, first = type(rows[0]), rows[0]
    left = tuple(name for name in _defaulted(model) if isinstance(getattr(first, name), DatabaseDefault))
    statement = _insert_of(model, left)
    statement.question.send(statement.given(rows))
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Rows for `json_to_recordset`.

    Raises:
        ValueError: a text has a NUL in it, which no text of PostgreSQL has, or half of a character.
    """
    raw = msgspec.json.encode(rows, enc_hook=_plain)
    if rb"\u0000" in raw and _NUL.search(raw):
        raise ValueError("A text cannot contain NUL (0x00) characters.")
    return raw.decode()


@dataclass(frozen=True, slots=True)
class _Statement:
    """What writes these columns of a table, and how rows become its first parameter."""

    question: Question
    columns: tuple[str, ...]
    read: Callable[[models.Model], tuple[Any, ...]]
    #: The columns whose values are not written as they stand, and how they are.
    others: tuple[tuple[str, Callable[[Any], Any]], ...]

    def given(self, rows: Iterable[models.Model]) -> str:
        """These rows as JSON; what `as_json` refuses is refused."""
        columns, read, others = self.columns, self.read, self.others
        documents = []
        for row in rows:
            document = dict(zip(columns, read(row), strict=True))
            for column, written in others:
                if document[column] is not None:
                    document[column] = written(document[column])
            documents.append(document)
        return as_json(documents)


@lru_cache(maxsize=500)
def _update_of(model: type[models.Model], names: tuple[str, ...]) -> _Statement:
    meta, quote = model._meta, connection.ops.quote_name
    fields: list[Any] = [meta.pk, *(meta.get_field(name) for name in names)]
    changes = ", ".join(f"{quote(f.column)} = v.{quote(f.column)}" for f in fields[1:])
    key, kind = quote(fields[0].column), fields[0].rel_db_type(connection)
    # The keys once more: of rows in JSON the planner expects a hundred, and reads a middling table from end to end.
    found = f"t.{key} = v.{key} AND t.{key} = ANY ($2)"
    return _statement(
        fields,
        f"UPDATE {quote(meta.db_table)} AS t SET {changes} FROM {_taken_apart(fields)} WHERE {found}",  # noqa: S608  our own names
        f"{kind}[]",
    )


@lru_cache(maxsize=500)
def _insert_of(model: type[models.Model], left: tuple[str, ...]) -> _Statement:
    """For all columns but those left to the database."""
    quote = connection.ops.quote_name
    fields: list[Any] = [f for f in model._meta.concrete_fields if f.attname not in left]
    columns = ", ".join(quote(f.column) for f in fields)
    into = quote(model._meta.db_table)
    return _statement(fields, f"INSERT INTO {into} ({columns}) SELECT * FROM {_taken_apart(fields)}")  # noqa: S608  our own names


def _statement(fields: Sequence[Any], sql: str, *beside: str) -> _Statement:
    """`beside` the rows other parameters may be given, of these types."""
    others = ((f.column, written) for f in fields if (written := _written(f.target_field if f.is_relation else f)))
    return _Statement(
        question=Question(sql, ["json", *beside]),
        columns=tuple(f.column for f in fields),
        read=_reader([f.attname for f in fields]),
        others=tuple(others),
    )


def _reader(names: Sequence[str]) -> Callable[[models.Model], tuple[Any, ...]]:
    """What an instance has in these columns: from where it keeps them, for a foreign key's own way is a call each."""
    kept: Callable[[Any], tuple[Any, ...]] = itemgetter(*names)
    asked: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)

    def read(row: models.Model) -> tuple[Any, ...]:
        try:
            return kept(row.__dict__)
        except KeyError:  # one that was not read yet
            return asked(row)

    return read


def _taken_apart(fields: Iterable[Any]) -> str:
    """The rows of the parameter; of no length, or a cast would cut what is too long instead of refusing it."""
    quote = connection.ops.quote_name
    types = (f"{quote(f.column)} {str(f.db_type(connection)).partition('(')[0]}" for f in fields)
    return f"json_to_recordset($1) AS v ({', '.join(types)})"


@cache
def _defaulted(model: type[models.Model]) -> tuple[str, ...]:
    """The columns that the database may fill in."""
    return tuple(f.attname for f in model._meta.concrete_fields if f.db_default is not models.NOT_PROVIDED)


def _written(field: Any) -> Callable[[Any], Any] | None:
    """How a value of this field is written; None where it is written as it stands."""
    kind: Any = type(field)
    if _stands_as_it_is(kind):
        return None
    if kind is models.JSONField:
        return lambda value: msgspec.Raw(json.dumps(value, cls=field.encoder).encode())
    return lambda value: _spelled(field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS]))


def _stands_as_it_is(kind: Any) -> bool:
    """Whether what an instance has of such a field is what is written."""
    return any(
        issubclass(kind, known) and all(getattr(kind, name) is getattr(known, name) for name in _CONVERSIONS)
        for known in _AS_THEY_ARE
    )


def _spelled(value: Any) -> Any:
    """A value that JSON would spell in another way than PostgreSQL reads it."""
    if isinstance(value, Binary):
        value = value.adapted
    if isinstance(value, memoryview | bytes):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds}.{value.microseconds:06} seconds"
    return value


def _plain(value: Any) -> str:
    """A text that is marked as something more, as templates mark theirs."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is not written")
