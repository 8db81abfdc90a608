"""Lists by keyset: a page costs the same wherever it stands, and what is new does not shift it."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from kernel import ids
from kernel.models import Identified
from kernel.refusal import FieldError, Invalid

LIMIT_MAX = 100
#: Between a cursor's place and the end of the key of whatever its list is of.
_OF, _MARK_DIGITS = ".", 8
_M = TypeVar("_M", bound=Identified)


def page(
    rows: "QuerySet[_M, Any]", *, cursor: str | None, limit: int, few: bool = False, of: Identified | None = None
) -> tuple[list[_M], str | None]:
    """The rows after the cursor, newest first, and the cursor of the page after them. For `few` see `sorted_keys`.

    Where each of many rows has a list like this, `of` is the one whose list it is: its cursors say so. One without it,
    as they once were, is good for the list in which its row stands.

    Raises:
        Invalid: the cursor is not one we gave for this list.
    """
    named, _, whose = (cursor or "").partition(_OF)
    if (last := place_of(named if whose else cursor, rows.model)) is not None:
        if whose != _mark(of) and (whose or (of is not None and not rows.filter(pk=last).exists())):
            raise _not_of_this_list()
        rows = rows.filter(pk__lt=last)
    if few:  # only keys are sorted, and what is shown is read of those that are
        keys = list(sorted_keys(rows.order_by(), few=True).values_list("pk", flat=True)[: limit + 1])
        rows = rows.filter(pk__in=keys)
    found, further = cut(list(rows.order_by("-pk")[: limit + 1]), limit)
    return found, f"{further}{_OF}{_mark(of)}" if further and of is not None else further


def page_of_span(
    every: "QuerySet[_M, Any]",
    moment: str,
    span: tuple[datetime | None, datetime | None],
    *,
    cursor: str | None,
    limit: int,
    **chosen: Any,
) -> tuple[list[_M], str | None]:
    """The `chosen` rows whose `moment` lies in a span, the latest first, and the cursor of the page after them.

    A span has its beginning in it and not its end, where it has either. On an index of that moment what lies outside
    costs nothing.

    Raises:
        Invalid: the cursor is not one we gave for this list.
    """
    rows, (after, before) = every.filter(**chosen), span
    if after is not None:
        rows = rows.filter(**{f"{moment}__gte": after})
    if before is not None:
        rows = rows.filter(**{f"{moment}__lt": before})
    if (last := place_of(cursor, rows.model)) is not None:
        at = every.filter(pk=last).values_list(moment, flat=True).first()
        if at is None:
            raise _not_of_this_list()
        rows = rows.filter(Q(**{f"{moment}__lt": at}) | Q(pk__lt=last), **{f"{moment}__lte": at})
    return cut(list(rows.order_by(f"-{moment}", "-pk")[: limit + 1]), limit)


def _mark(of: Identified | None) -> str:
    """What tells the lists of two rows apart: the end of a key, which is drawn by lot."""
    return "" if of is None else of.id.hex[-_MARK_DIGITS:]


def _not_of_this_list() -> Invalid:
    return Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])


def place_of(cursor: str | None, listed: type[Identified]) -> UUID | None:
    """The last key of the page before; None on the first page. A cursor says of what it is: its last row's public id.

    Raises:
        Invalid: the cursor is not one we gave, or of a list of other things.
    """
    last = ids.parse(listed.prefix, cursor) if cursor is not None else None
    if cursor is not None and last is None:
        raise _not_of_this_list()
    return last


def cut(found: list[_M], limit: int) -> tuple[list[_M], str | None]:
    """A page of what was found, which is one more if there are more pages; and the cursor of the next."""
    return found[:limit], found[limit - 1].public_id if len(found) > limit else None


def sorted_keys(rows: "QuerySet[_M, Any]", *, few: bool) -> "QuerySet[_M, Any]":
    """Newest first. Of a list that another index narrows down to a few, those few are read and sorted.

    PostgreSQL would rather walk the keys of all, hoping to meet them soon. A key's text sorts as the key does.
    """
    return rows.order_by(Cast("pk", TextField()).desc() if few else "-pk")
