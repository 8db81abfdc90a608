"""Many rows, each with its own values, in one statement whose text does not grow with their number.

Django's bulk_update builds a CASE of every row for every column, and bulk_create an expression for every value: in a
sweep that costs more than everything else it does.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import DatabaseDefault

from kernel.prepared import Question

#: Fields whose values are written as they stand, and fields made of these that convert no otherwise.
_AS_THEY_ARE = (
    models.UUIDField,
    models.DateTimeField,
    models.BigIntegerField,
    models.PositiveIntegerField,
    models.BooleanField,
    models.CharField,
    models.TextField,
)
_CONVERSIONS = ("get_prep_value", "get_db_prep_value", "get_db_prep_save")


def update_all(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Write these fields of these rows of one table, as they stand on the instances, in one UPDATE.

    The caller has locked the rows, in the order of their keys.
    """
    names = tuple(names)
    if not rows or not names:
        return
    fields, statement = _update_of(type(rows[0]), names)
    statement.send(*_values(rows, fields))


def insert_all(rows: Sequence[models.Model]) -> None:
    """Write these new rows of one table, in their order, in one INSERT; what the database fills in is left to it."""
    if not rows:
        return
    given = (f.attname for f in rows[0]._meta.concrete_fields)
    names = tuple(name for name in given if not isinstance(getattr(rows[0], name), DatabaseDefault))
    fields, statement = _insert_of(type(rows[0]), names)
    statement.send(*_values(rows, fields))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


@lru_cache(maxsize=500)
def _update_of(model: type[models.Model], names: tuple[str, ...]) -> "tuple[list[Any], Question]":
    """The key and these fields of a model, and the statement that writes them."""
    meta, quote = model._meta, connection.ops.quote_name
    fields: list[Any] = [meta.pk, *(meta.get_field(name) for name in names)]
    given = ", ".join(quote(f.column) for f in fields)
    changes = ", ".join(f"{quote(f.column)} = v.{quote(f.column)}" for f in fields[1:])
    key, types = quote(fields[0].column), _types(fields)
    return fields, Question(
        f"UPDATE {quote(meta.db_table)} AS t SET {changes} FROM unnest({_places(types)}) AS v ({given})"  # noqa: S608  our own names
        f" WHERE t.{key} = v.{key}",
        types,
    )


@lru_cache(maxsize=500)
def _insert_of(model: type[models.Model], names: tuple[str, ...]) -> "tuple[list[Any], Question]":
    """These fields of a model, and the statement that makes rows of them."""
    quote = connection.ops.quote_name
    fields: list[Any] = [f for f in model._meta.concrete_fields if f.attname in names]
    columns, types = ", ".join(quote(f.column) for f in fields), _types(fields)
    into = quote(model._meta.db_table)
    return fields, Question(f"INSERT INTO {into} ({columns}) SELECT * FROM unnest({_places(types)})", types)  # noqa: S608  our own names


def _types(fields: Iterable[Any]) -> list[str]:
    """Of a parameter for each column; without its length, or a cast would cut what is too long instead of refusing."""
    return [f"{str(f.db_type(connection)).partition('(')[0]}[]" for f in fields]


def _places(types: Sequence[str]) -> str:
    return ", ".join(f"${place}" for place in range(1, len(types) + 1))


def _values(rows: Sequence[models.Model], fields: Sequence[Any]) -> list[list[Any]]:
    return [_column(rows, field) for field in fields]


def _column(rows: Sequence[models.Model], field: Any) -> list[Any]:
    values = map(attrgetter(field.attname), rows)
    kept = field.target_field if field.is_relation else field
    kind: Any = type(kept)
    if _stands_as_it_is(kind):
        return list(values)
    if kind is models.JSONField:
        return [None if value is None else json.dumps(value, cls=kept.encoder) for value in values]
    line = connections[DEFAULT_DB_ALIAS]
    return [kept.get_db_prep_save(value, line) for value in values]


@cache
def _stands_as_it_is(kind: Any) -> bool:
    """Whether what an instance has of such a field is what is written."""
    return any(
        issubclass(kind, known) and all(getattr(kind, name) is getattr(known, name) for name in _CONVERSIONS)
        for known in _AS_THEY_ARE
    )
