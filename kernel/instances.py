"""Rows of a question that was compiled once become instances and tuples, as Django's own iterables would make them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from django.db import connection, models
from django.db.models.query import get_related_populators
from django.db.models.sql.compiler import SQLCompiler


def reader(compiler: SQLCompiler) -> Callable[[list[tuple[Any, ...]]], list[Any]]:
    """How rows become instances with those they name, or stay tuples: as Django's own iterables do it."""
    select = compiler.select
    converted = _converter(compiler)
    if not compiler.query.default_cols:
        return lambda rows: [tuple(row) for row in converted(rows)]
    fields = compiler.klass_info["select_fields"]
    start, end, model = fields[0], fields[-1] + 1, compiler.klass_info["model"]
    names = [column[0].target.attname for column in select[start:end]]
    alias = connection.alias
    related = get_related_populators(compiler.klass_info, select, alias)  # type: ignore[call-arg]  # Django 6 asks for more
    noted = list((compiler.annotation_col_map or {}).items())

    def instances(rows: list[tuple[Any, ...]]) -> list[Any]:
        made = []
        for row in converted(rows):
            instance = model.from_db(alias, names, row[start:end])
            for populator in related:
                populator.populate(row, instance)
            for name, place in noted:
                setattr(instance, name, row[place])
            made.append(instance)
        return made

    return instances


def _converter(compiler: SQLCompiler) -> Callable[[Iterable[Sequence[Any]]], Iterable[Sequence[Any]]]:
    """How values from the database become those of the fields; most are so already."""
    converters = [
        (place, [_json] if _is_plain_json(expression) else steps, expression)
        for place, (steps, expression) in compiler.get_converters([column[0] for column in compiler.select]).items()
    ]

    def converted(rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for row in rows:
            values = list(row)
            for place, steps, expression in converters:
                for step in steps:
                    values[place] = step(values[place], expression, connection)
            yield values

    return converted if converters else lambda rows: rows


def _is_plain_json(expression: Any) -> bool:
    """A column of JSON that is read by nobody's decoder."""
    field = getattr(expression, "target", None)
    return type(field) is models.JSONField and field.decoder is None


def _json(text: Any, _expression: Any, _connection: Any) -> Any:
    """The same as Django's `json.loads`, which takes six times as long to begin."""
    return None if text is None else msgspec.json.decode(text)
