"""Lists read by whole columns: of thousands of rows, where a row at a time is made a thing and asked for each cell.

Both ways write the same. What a column of a list is worked out of says `told` once, for a row and for all of them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.contrib.admin import ModelAdmin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Field, Func, QuerySet, TextField
from django.db.models.functions import Cast

from kernel.console_lists import shown_in
from kernel.models import Identified
from kernel.templatetags.house import minor

_Texts = list[str]


class Read(NamedTuple):
    """Some lines of a list: the texts of each column, and the rows' keys."""

    columns: list[_Texts]
    keys: _Texts


class _Column(NamedTuple):
    """What is asked of the database for a column, and how the answers of many rows become what is shown."""

    asked: tuple[str | Func, ...]
    says: Callable[..., _Texts]


class _Key(Func):
    """A row's public id, written by PostgreSQL: `kernel.ids.public`."""

    output_field = TextField()

    def __init__(self, path: str, prefix: str) -> None:
        super().__init__(path, template=f"('{prefix}_' || encode(uuid_send(%(expressions)s), 'hex'))")


class _Moment(Func):
    """A moment as Python's `isoformat` writes it."""

    output_field = TextField()
    template = (
        """replace(to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'), '.000000', '')"""
    )


def told(*reads: str, says: Callable[..., object], description: str, ordering: str | None = None) -> Any:
    """A column of a list that is worked out of a row's, or of those of a row it leads to: `deduction__currency`."""
    values = [attrgetter(name.replace("__", ".")) for name in reads]

    def column(shown: Any, row: Any) -> object:
        del shown
        return says(*(value(row) for value in values))

    named: Any = column
    named.short_description, named.admin_order_field = description, ordering
    named.reads, named.says = reads, says
    return column


def money_of(name: str, called: str = "", currency: str = "currency") -> Any:
    """A column of minor units as amounts, called as it is without the end that says so, unless `called` otherwise."""
    words = called or name.removesuffix("_minor").replace("_", " ")
    return told(name, currency, says=minor, description=words, ordering=name)


def text_of(value: object) -> str:
    """What stands in a file where a list shows this."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def reader_of(shown: "ModelAdmin[Any]", names: Sequence[str]) -> "Callable[[QuerySet[Any]], Read]":
    """How lines of this list are read: by columns, where each of them says what it needs; else row by row."""
    columns = [_column(shown, name) for name in names]
    if any(column is None for column in columns):
        return lambda rows: _by_row(shown, names, rows)
    known = [column for column in columns if column is not None]
    return lambda rows: _by_column(known, rows)


def _by_row(shown: "ModelAdmin[Any]", names: Sequence[str], rows: "QuerySet[Any]") -> Read:
    found = list(rows)
    return Read(
        [[text_of(shown_in(shown, name, row)) for row in found] for name in names], [str(row.pk) for row in found]
    )


def _by_column(columns: Sequence[_Column], rows: "QuerySet[Any]") -> Read:
    asked = list(dict.fromkeys(one for column in columns for one in column.asked))
    answers = list(zip(*rows.values_list(*asked, Cast("pk", TextField())), strict=True))
    if not answers:
        return Read([[] for _column in columns], [])
    found = dict(zip(asked, answers, strict=False))
    return Read([column.says(*map(found.__getitem__, column.asked)) for column in columns], list(answers[-1]))


def _column(shown: "ModelAdmin[Any]", name: str) -> _Column | None:
    """How a column is read whole; None of one that only a row can tell."""
    model = shown.model
    if (field := _field(model, name)) is not None:
        return _of_field(field, name)
    if name == "public_id" and issubclass(model, Identified):
        return _Column((_Key("pk", model.prefix),), _blank)
    bearer = getattr(shown, name, None)
    reads = getattr(bearer, "reads", None)
    if reads is None or bearer is None:
        return None
    return _Column(reads, lambda *columns: _worked_out(bearer.says, columns))


def _field(model: type[models.Model], path: str) -> "Field[Any, Any] | None":
    """The table's column, or that of a row it leads to."""
    field: Any = None
    name = ""
    for name in path.split("__"):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            return None
        model = field.related_model or model
    return field if isinstance(field, Field) and field.name == name else None


def _of_field(field: "Field[Any, Any]", path: str) -> _Column:
    if isinstance(field, models.ForeignKey):
        other: Any = field.related_model
        if issubclass(other, Identified) and other.__str__ is Identified.__str__:
            return _Column((_Key(path, other.prefix),), _blank)
        return _Column((path,), lambda keys: _called(other, keys))
    if isinstance(field, models.DateTimeField):
        return _Column((_Moment(path),), _blank)
    if isinstance(field, models.UUIDField):
        return _Column((Cast(path, TextField()),), _blank)
    if isinstance(field, models.CharField | TextField):
        return _Column((path,), _blank)
    return _Column((path,), lambda values: [text_of(value) for value in values])


def _blank(values: Iterable[str | None]) -> _Texts:
    return [value or "" for value in values]


class _Known(dict[tuple[Any, ...], str]):
    """What was worked out before, of the same values."""

    def __init__(self, says: Callable[..., object]) -> None:
        super().__init__()
        self.says = says

    def __missing__(self, values: tuple[Any, ...]) -> str:
        text = self[values] = text_of(self.says(*values))
        return text


def _worked_out(says: Callable[..., object], columns: Sequence[Iterable[Any]]) -> _Texts:
    return list(map(_Known(says).__getitem__, zip(*columns, strict=True)))


def _called(model: Any, keys: Sequence[Any]) -> _Texts:
    """What the rows that these keys lead to call themselves, looked up together."""
    names = {key: str(row) for key, row in model.objects.in_bulk(set(keys) - {None}).items()}
    return [names[key] if key is not None else "" for key in keys]
