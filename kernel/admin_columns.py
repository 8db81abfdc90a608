"""Reads the columns of an admin list in bulk for exports, without building a model instance for each row.

Reading row by row gives the same text. `computed_column` declares a column's inputs once, for both ways.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Field, Func, QuerySet, TextField
from django.db.models.functions import Cast

from kernel.console_lists import cell_value, export_time
from kernel.models import Identified
from kernel.templatetags.formatting import minor_amount

_Texts = list[str]


class ColumnBatch(NamedTuple):
    """Some rows of a list: the texts of each column, and the rows' primary keys."""

    columns: list[_Texts]
    keys: _Texts


class _Column(NamedTuple):
    """The query expressions of a column, and the function that turns their values for many rows into text."""

    expressions: tuple[str | Func, ...]
    format_values: Callable[..., _Texts]


class _PublicIdExpression(Func):
    """A row's public id, formatted by PostgreSQL as `kernel.ids.public` does."""

    output_field = TextField()

    def __init__(self, path: str, prefix: str) -> None:
        super().__init__(path, template=f"('{prefix}_' || encode(uuid_send(%(expressions)s), 'hex'))")


class _TimeInZone(Func):
    """A timestamp formatted by PostgreSQL as `kernel.console_lists.export_time` does."""

    output_field = TextField()
    template = f"to_char(%(expressions)s AT TIME ZONE '{settings.CONSOLE_ZONE}', 'YYYY-MM-DD HH24:MI:SS')"


def computed_column(*paths: str, compute: Callable[..., object], description: str, ordering: str | None = None) -> Any:
    """An admin column computed from a row's fields or those of related rows, such as `deduction__currency`."""
    values = [attrgetter(name.replace("__", ".")) for name in paths]

    def column(model_admin: Any, row: Any) -> object:
        del model_admin
        return compute(*(value(row) for value in values))

    marked: Any = column
    marked.short_description, marked.admin_order_field = description, ordering
    marked.source_paths, marked.compute = paths, compute
    return column


def money_column(name: str, label: str = "", currency: str = "currency") -> Any:
    """A column that shows minor units as an amount; its label defaults to the field name without `_minor`."""
    words = label or name.removesuffix("_minor").replace("_", " ")
    return computed_column(name, currency, compute=minor_amount, description=words, ordering=name)


def to_text(value: object) -> str:
    """The text of a value in an export file."""
    if value is None:
        return ""
    return export_time(value) if isinstance(value, datetime) else str(value)


def column_reader(model_admin: "ModelAdmin[Any]", names: Sequence[str]) -> "Callable[[QuerySet[Any]], ColumnBatch]":
    """The function that reads rows of this list: by column if every column supports it, else row by row."""
    columns = [_column_for(model_admin, name) for name in names]
    if any(column is None for column in columns):
        return lambda rows: _read_by_row(model_admin, names, rows)
    known = [column for column in columns if column is not None]
    return lambda rows: _read_by_column(known, rows)


def _read_by_row(model_admin: "ModelAdmin[Any]", names: Sequence[str], rows: "QuerySet[Any]") -> ColumnBatch:
    found = list(rows)
    return ColumnBatch(
        [[to_text(cell_value(model_admin, name, row)) for row in found] for name in names],
        [str(row.pk) for row in found],
    )


def _read_by_column(columns: Sequence[_Column], rows: "QuerySet[Any]") -> ColumnBatch:
    expressions = list(dict.fromkeys(one for column in columns for one in column.expressions))
    columns_read = list(zip(*rows.values_list(*expressions, Cast("pk", TextField())), strict=True))
    if not columns_read:
        return ColumnBatch([[] for _column in columns], [])
    found = dict(zip(expressions, columns_read, strict=False))
    return ColumnBatch(
        [column.format_values(*map(found.__getitem__, column.expressions)) for column in columns],
        list(columns_read[-1]),
    )


def _column_for(model_admin: "ModelAdmin[Any]", name: str) -> _Column | None:
    """How to read a column in bulk; None if it needs a model instance."""
    model = model_admin.model
    if (field := _resolve_field(model, name)) is not None:
        return _field_column(field, name)
    if name == "public_id" and issubclass(model, Identified):
        return _Column((_PublicIdExpression("pk", model.prefix),), _none_to_blank)
    method = getattr(model_admin, name, None)
    paths = getattr(method, "source_paths", None)
    if paths is None or method is None:
        return None
    return _Column(paths, lambda *columns: _compute_column(method.compute, columns))


def _resolve_field(model: type[models.Model], path: str) -> "Field[Any, Any] | None":
    """The model field at this path, which may cross foreign keys; None if there is none."""
    field: Any = None
    name = ""
    for name in path.split("__"):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            return None
        model = field.related_model or model
    return field if isinstance(field, Field) and field.name == name else None


def _field_column(field: "Field[Any, Any]", path: str) -> _Column:
    if isinstance(field, models.ForeignKey):
        other: Any = field.related_model
        if issubclass(other, Identified) and other.__str__ is Identified.__str__:
            return _Column((_PublicIdExpression(path, other.prefix),), _none_to_blank)
        return _Column((path,), lambda keys: _related_names(other, keys))
    if isinstance(field, models.DateTimeField):
        return _Column((_TimeInZone(path),), _none_to_blank)
    if isinstance(field, models.UUIDField):
        return _Column((Cast(path, TextField()),), _none_to_blank)
    if isinstance(field, models.CharField | TextField):
        return _Column((path,), _none_to_blank)
    return _Column((path,), lambda values: [to_text(value) for value in values])


def _none_to_blank(values: Iterable[str | None]) -> _Texts:
    return [value or "" for value in values]


class _ComputedCache(dict[tuple[Any, ...], str]):
    """Texts computed so far, by their input values."""

    def __init__(self, says: Callable[..., object]) -> None:
        super().__init__()
        self.compute = says

    def __missing__(self, values: tuple[Any, ...]) -> str:
        text = self[values] = to_text(self.compute(*values))
        return text


def _compute_column(compute: Callable[..., object], columns: Sequence[Iterable[Any]]) -> _Texts:
    return list(map(_ComputedCache(compute).__getitem__, zip(*columns, strict=True)))


def _related_names(model: Any, keys: Sequence[Any]) -> _Texts:
    """`str()` of the related rows with these keys, fetched in one query."""
    names = {key: str(row) for key, row in model.objects.in_bulk(set(keys) - {None}).items()}
    return [names[key] if key is not None else "" for key in keys]
