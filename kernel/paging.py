"""Lists by keyset: a page costs the same wherever it stands, and what is new does not shift it."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from kernel import ids
from kernel.models import Identified
from kernel.refusal import FieldError, Invalid

LIMIT_MAX = 100
_M = TypeVar("_M", bound=Identified)


def page(
    rows: "QuerySet[_M, Any]", *, cursor: str | None, limit: int, few: bool = False
) -> tuple[list[_M], str | None]:
    """The rows after the cursor, newest first, and the cursor of the page after them. For `few` see `sorted_keys`.

    Raises:
        Invalid: the cursor is not one we gave.
    """
    if (last := place_of(cursor, rows.model)) is not None:
        rows = rows.filter(pk__lt=last)
    if few:  # only keys are sorted, and what is shown is read of those that are
        keys = list(sorted_keys(rows.order_by(), few=True).values_list("pk", flat=True)[: limit + 1])
        rows = rows.filter(pk__in=keys)
    return cut(list(rows.order_by("-pk")[: limit + 1]), limit)


def place_of(cursor: str | None, listed: type[Identified]) -> UUID | None:
    """The last key of the page before; None on the first page. A cursor says of what it is: its last row's public id.

    Raises:
        Invalid: the cursor is not one we gave, or of a list of other things.
    """
    last = ids.parse(listed.prefix, cursor) if cursor is not None else None
    if cursor is not None and last is None:
        raise Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])
    return last


def cut(found: list[_M], limit: int) -> tuple[list[_M], str | None]:
    """A page of what was found, which is one more if there are more pages; and the cursor of the next."""
    return found[:limit], found[limit - 1].public_id if len(found) > limit else None


def sorted_keys(rows: "QuerySet[_M, Any]", *, few: bool) -> "QuerySet[_M, Any]":
    """Newest first. Of a list that another index narrows down to a few, those few are read and sorted.

    PostgreSQL would rather walk the keys of all, hoping to meet them soon. A key's text sorts as the key does.
    """
    return rows.order_by(Cast("pk", TextField()).desc() if few else "-pk")
