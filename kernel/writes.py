"""Many rows, each with its own values, in one statement whose text does not grow with their number.

Django's bulk_update builds a CASE of every row for every column, and bulk_create an expression for every value: in a
sweep that costs more than everything else it does.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import DatabaseDefault

from kernel.together import write

#: Fields whose values the driver knows how to write without being told.
_AS_THEY_ARE = frozenset(
    {models.UUIDField, models.DateTimeField, models.BigIntegerField, models.PositiveIntegerField, models.BooleanField}
)


def update_all(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Write these fields of these rows of one table, as they stand on the instances, in one UPDATE.

    The caller has locked the rows, in the order of their keys.
    """
    names = list(names)
    if not rows or not names:
        return
    meta, quote = rows[0]._meta, connection.ops.quote_name
    fields: list[Any] = [meta.pk, *(meta.get_field(name) for name in names)]
    given = ", ".join(quote(f.column) for f in fields)
    changes = ", ".join(f"{quote(f.column)} = v.{quote(f.column)}" for f in fields[1:])
    key = quote(fields[0].column)
    write(
        f"UPDATE {quote(meta.db_table)} AS t SET {changes} FROM unnest({_arrays(fields)}) AS v ({given})"  # noqa: S608  our own names
        f" WHERE t.{key} = v.{key}",
        _values(rows, fields),
    )


def insert_all(rows: Sequence[models.Model]) -> None:
    """Write these new rows of one table, in their order, in one INSERT; what the database fills in is left to it."""
    if not rows:
        return
    meta, quote = rows[0]._meta, connection.ops.quote_name
    fields: list[Any] = [
        f for f in meta.concrete_fields if not isinstance(getattr(rows[0], f.attname), DatabaseDefault)
    ]
    columns = ", ".join(quote(f.column) for f in fields)
    write(
        f"INSERT INTO {quote(meta.db_table)} ({columns}) SELECT * FROM unnest({_arrays(fields)})",  # noqa: S608  our own names
        _values(rows, fields),
    )
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _arrays(fields: Iterable[Any]) -> str:
    """A parameter for each column; without its length, or a cast would cut what is too long instead of refusing it."""
    return ", ".join(f"%s::{f.db_type(connection).partition('(')[0]}[]" for f in fields)


def _values(rows: Sequence[models.Model], fields: Sequence[Any]) -> list[list[Any]]:
    return [_column(rows, field) for field in fields]


def _column(rows: Sequence[models.Model], field: Any) -> list[Any]:
    values = map(attrgetter(field.attname), rows)
    kept = field.target_field if field.is_relation else field
    if type(kept) in _AS_THEY_ARE:
        return list(values)
    line = connections[DEFAULT_DB_ALIAS]
    return [kept.get_db_prep_save(value, line) for value in values]
