"""Restricts the filters that a console list accepts in its URL to visible columns, without partial matches.

Django accepts lookups such as `startswith` on any column. On a hidden one, such as a password hash, a colleague could
find out the value letter by letter, without a trace.
"""

from collections.abc import Collection
from typing import Any

from django.contrib.admin import ModelAdmin, site
from django.core.exceptions import FieldDoesNotExist
from django.db.models import BinaryField, CharField, Field, JSONField, Model, TextField

_EQUALITY_LOOKUPS = frozenset({"", "exact", "in", "isnull"})
_ORDERED_LOOKUPS = _EQUALITY_LOOKUPS | {"lt", "lte", "gt", "gte"}


def is_lookup_allowed(model: type[Model], lookup: str, value: object, hidden: Collection[str]) -> bool:
    """Whether a list of these rows may be filtered so. Texts can be compared for equality only, not order or parts."""
    field, lookup_type = _resolve_lookup(model, lookup.split("__"))
    if field is None and lookup_type == lookup:  # no column at all: left to Django
        return True
    if (
        field is None
        or "\x00" in str(value)
        or isinstance(field, BinaryField)
        or field.name in {*hidden, *_hidden_fields_of(field.model)}
    ):
        return False
    if isinstance(field, JSONField):
        return lookup_type == "isnull"
    if isinstance(field, CharField | TextField):
        return lookup_type in _EQUALITY_LOOKUPS or (lookup_type == "gt" and value == "")
    return lookup_type in _ORDERED_LOOKUPS


def _resolve_lookup(model: type[Model], parts: list[str]) -> "tuple[Field[Any, Any] | None, str]":
    """The field at the end of the lookup path, and the lookup type."""
    field: Field[Any, Any] | None = None
    for place, part in enumerate(parts):
        try:
            found = _get_field(model, part)
        except FieldDoesNotExist:
            return field, "__".join(parts[place:])
        if not isinstance(found, Field):
            return None, ""
        field, model = found, found.related_model or model
    return field, ""


def _get_field(model: type[Model], part: str) -> Any:
    meta = model._meta
    return meta.pk if part == "pk" else meta.get_field(part)


def _hidden_fields_of(model: type[Model]) -> Collection[str]:
    """The fields of these rows that no list shows."""
    model_admin: ModelAdmin[Any] | None = site._registry.get(model)  # noqa: SLF001  there is no public way to ask
    return getattr(model_admin, "hidden_fields", ())
