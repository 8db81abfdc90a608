"""What a list of the console may be filtered by in its address: by what can be seen there, and in no guessing way.

Django lets an address ask of any column whether it begins with something. Of one that never shows, such as a password's
digest, whoever may look would learn a letter at a time, and nobody would hear of it.
"""

from collections.abc import Collection
from typing import Any

from django.contrib.admin import ModelAdmin, site
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BinaryField, CharField, Field, JSONField, Model, TextField

_SAME = frozenset({"", "exact", "in", "isnull"})
_ORDERED = _SAME | {"lt", "lte", "gt", "gte"}


def is_seen(model: type[Model], lookup: str, value: object, hidden: Collection[str]) -> bool:
    """Whether a list of these rows may be asked this. A text is what it is or is not; it has no order and no parts."""
    field, way = _reached(model, lookup.split("__"))
    if field is None and way == lookup:  # no column at all, which Django answers as it does
        return True
    if (
        field is None
        or "\x00" in str(value)
        or isinstance(field, BinaryField)
        or field.name in {*hidden, *_hidden_of(field.model)}
    ):
        return False
    if isinstance(field, JSONField):
        return way == "isnull"
    if isinstance(field, CharField | TextField):
        return way in _SAME or (way == "gt" and value == "")
    return way in _ORDERED


def _reached(model: type[Model], parts: list[str]) -> "tuple[Field[Any, Any] | None, str]":
    """The column at the end of the way, and what is asked of it."""
    field: Field[Any, Any] | None = None
    for place, part in enumerate(parts):
        try:
            found = _named(model, part)
        except FieldDoesNotExist:
            return field, "__".join(parts[place:])
        if not isinstance(found, Field):
            return None, ""
        field, model = found, found.related_model or model
    return field, ""


def _named(model: type[Model], part: str) -> Any:
    meta = model._meta
    return meta.pk if part == "pk" else meta.get_field(part)


def _hidden_of(model: type[Model]) -> Collection[str]:
    """What never shows of these rows, in whichever list."""
    shown: ModelAdmin[Any] | None = site._registry.get(model)  # noqa: SLF001  there is no public way to ask
    return getattr(shown, "hidden", ())
