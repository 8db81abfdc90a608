"""Bulk inserts and updates in one prepared statement, whatever the number of rows.

The rows are one JSON parameter, which PostgreSQL expands by the columns' types. Django's bulk_update builds a CASE with
every row for every column, and bulk_create an expression for every value: in a sweep, that costs more than everything
else. An array for each column would cost PostgreSQL more for a single row than the row itself.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.expressions import DatabaseDefault
from psycopg2.extensions import Binary

from kernel.prepared_statements import PreparedStatement

#: Field types whose values need no conversion, also in subclasses that do not override a conversion method.
_UNCONVERTED_FIELDS = (
    models.UUIDField,
    models.DateTimeField,
    models.DateField,
    models.IntegerField,
    models.BigAutoField,
    models.BooleanField,
    models.CharField,
    models.TextField,
)
_CONVERSION_METHODS = ("get_prep_value", "get_db_prep_value", "get_db_prep_save")
#: An escaped NUL in JSON, which PostgreSQL's text cannot hold; not an escaped backslash followed by `u0000`.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def update_all(rows: Sequence[models.Model], names: Iterable[str]) -> None:
    """Save these fields of rows of one model in one UPDATE.

    The caller must have locked the rows in the order of their keys.
    """
    names = tuple(names)
    if not rows or not names:
        return
    statement = _update_statement(type(rows[0]), names)
    statement.prepared.execute(statement.to_json(rows), [row.pk for row in rows])


def insert_all(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model, in order, in one INSERT. Unset columns with database defaults are left out."""
    if not rows:
        return
    model, first = type(rows[0]), rows[0]
    left_to_database = tuple(
        name for name in _columns_with_db_default(model) if isinstance(getattr(first, name), DatabaseDefault)
    )
    statement = _insert_statement(model, left_to_database)
    statement.prepared.execute(statement.to_json(rows))
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def rows_to_json(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as JSON for `json_to_recordset`.

    Raises:
        ValueError: a text contains NUL, which PostgreSQL does not allow, or a lone surrogate.
    """
    raw = msgspec.json.encode(rows, enc_hook=_encode_str_subclass)
    if rb"\u0000" in raw and _NUL.search(raw):
        raise ValueError("A text cannot contain NUL (0x00) characters.")
    return raw.decode()


@dataclass(frozen=True, slots=True)
class _Statement:
    """A prepared insert or update of some columns, and how rows become its first parameter."""

    prepared: PreparedStatement
    columns: tuple[str, ...]
    read_values: Callable[[models.Model], tuple[Any, ...]]
    #: The columns whose values need a conversion, each with its converter.
    converters: tuple[tuple[str, Callable[[Any], Any]], ...]

    def to_json(self, rows: Iterable[models.Model]) -> str:
        """The rows as JSON. Raises as `rows_to_json` does."""
        columns, read, converters = self.columns, self.read_values, self.converters
        documents = []
        for row in rows:
            document = dict(zip(columns, read(row), strict=True))
            for column, convert in converters:
                if document[column] is not None:
                    document[column] = convert(document[column])
            documents.append(document)
        return rows_to_json(documents)


@lru_cache(maxsize=500)
def _update_statement(model: type[models.Model], names: tuple[str, ...]) -> _Statement:
    meta, quote = model._meta, connection.ops.quote_name
    fields: list[Any] = [meta.pk, *(meta.get_field(name) for name in names)]
    changes = ", ".join(f"{quote(f.column)} = v.{quote(f.column)}" for f in fields[1:])
    key, kind = quote(fields[0].column), fields[0].rel_db_type(connection)
    # Pass the keys again as an array: for rows in JSON the planner estimates a hundred and may scan the whole table.
    found = f"t.{key} = v.{key} AND t.{key} = ANY ($2)"
    return _build_statement(
        fields,
        f"UPDATE {quote(meta.db_table)} AS t SET {changes} FROM {_recordset_sql(fields)} WHERE {found}",  # noqa: S608  our own names
        f"{kind}[]",
    )


@lru_cache(maxsize=500)
def _insert_statement(model: type[models.Model], left_to_database: tuple[str, ...]) -> _Statement:
    """An insert of all columns except those left to the database."""
    quote = connection.ops.quote_name
    fields: list[Any] = [f for f in model._meta.concrete_fields if f.attname not in left_to_database]
    columns = ", ".join(quote(f.column) for f in fields)
    into = quote(model._meta.db_table)
    return _build_statement(fields, f"INSERT INTO {into} ({columns}) SELECT * FROM {_recordset_sql(fields)}")  # noqa: S608  our own names


def _build_statement(fields: Sequence[Any], sql: str, *other_types: str) -> _Statement:
    """`other_types` are the types of further parameters after the rows."""
    converters = (
        (f.column, convert) for f in fields if (convert := _converter_for(f.target_field if f.is_relation else f))
    )
    return _Statement(
        prepared=PreparedStatement(sql, ["json", *other_types]),
        columns=tuple(f.column for f in fields),
        read_values=_values_reader([f.attname for f in fields]),
        converters=tuple(converters),
    )


def _values_reader(names: Sequence[str]) -> Callable[[models.Model], tuple[Any, ...]]:
    """A getter for an instance's values, from its `__dict__`: foreign key descriptors cost a call each."""
    from_dict: Callable[[Any], tuple[Any, ...]] = itemgetter(*names)
    from_attributes: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)

    def read(row: models.Model) -> tuple[Any, ...]:
        try:
            return from_dict(row.__dict__)
        except KeyError:  # a deferred column
            return from_attributes(row)

    return read


def _recordset_sql(fields: Iterable[Any]) -> str:
    """The FROM item for the rows. Types have no length: a cast would truncate long texts instead of refusing them."""
    quote = connection.ops.quote_name
    types = (f"{quote(f.column)} {str(f.db_type(connection)).partition('(')[0]}" for f in fields)
    return f"json_to_recordset($1) AS v ({', '.join(types)})"


@cache
def _columns_with_db_default(model: type[models.Model]) -> tuple[str, ...]:
    """The columns with database defaults."""
    return tuple(f.attname for f in model._meta.concrete_fields if f.db_default is not models.NOT_PROVIDED)


def _converter_for(field: Any) -> Callable[[Any], Any] | None:
    """The converter for values of this field; None if they need none."""
    kind: Any = type(field)
    if _is_unconverted(kind):
        return None
    if kind is models.JSONField:
        return lambda value: msgspec.Raw(json.dumps(value, cls=field.encoder).encode())
    return lambda value: _to_json_value(field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS]))


def _is_unconverted(kind: Any) -> bool:
    """Whether values of this field type are written unchanged."""
    return any(
        issubclass(kind, known) and all(getattr(kind, name) is getattr(known, name) for name in _CONVERSION_METHODS)
        for known in _UNCONVERTED_FIELDS
    )


def _to_json_value(value: Any) -> Any:
    """Convert a value whose JSON form PostgreSQL would not read."""
    if isinstance(value, Binary):
        value = value.adapted
    if isinstance(value, memoryview | bytes):
        return f"\\x{bytes(value).hex()}"
    if isinstance(value, timedelta):
        return f"{value.days} days {value.seconds}.{value.microseconds:06} seconds"
    return value


def _encode_str_subclass(value: Any) -> str:
    """Encode a subclass of str, such as Django's SafeString."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is not written")


def redact_json(rows: models.QuerySet[Any], column: str, texts: Mapping[str, str]) -> int:
    """Replace some values in a JSON column of these rows by texts. Returns the number of rows."""
    redacted = models.Func(
        models.F(column),
        models.Value(dict(texts), models.JSONField()),
        template="(%(expressions)s)",
        arg_joiner=" || ",
    )
    return rows.update(**{column: redacted})
