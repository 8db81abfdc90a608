"""Keyset pagination: every page costs the same, and new rows do not shift pages."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from kernel import ids
from kernel.models import Identified
from kernel.refusal import FieldError, Invalid

LIMIT_MAX = 100
#: Separates a cursor's last row from the suffix that identifies the list's owner, and that suffix's length.
_OWNER_SEPARATOR, _OWNER_DIGITS = ".", 8
_M = TypeVar("_M", bound=Identified)


def paginate(
    rows: "QuerySet[_M, Any]",
    *,
    cursor: str | None,
    limit: int,
    is_small: bool = False,
    owner: Identified | None = None,
) -> tuple[list[_M], str | None]:
    """The rows after the cursor, newest first, and the next page's cursor. For `is_small` see `newest_first`.

    If each of many rows has such a list, `owner` is the row whose list this is; its cursors name it. Older cursors
    without an owner are valid for the list that contains their row.

    Raises:
        Invalid: the cursor was not issued for this list.
    """
    row_cursor, _, suffix = (cursor or "").partition(_OWNER_SEPARATOR)
    if (last := parse_cursor(row_cursor if suffix else cursor, rows.model)) is not None:
        if suffix != _owner_suffix(owner) and (suffix or (owner is not None and not rows.filter(pk=last).exists())):
            raise _invalid_cursor()
        rows = rows.filter(pk__lt=last)
    if is_small:  # sort only the keys, then read the rows of this page
        keys = list(newest_first(rows.order_by(), is_small=True).values_list("pk", flat=True)[: limit + 1])
        rows = rows.filter(pk__in=keys)
    page, next_cursor = slice_page(list(rows.order_by("-pk")[: limit + 1]), limit)
    return (
        page,
        f"{next_cursor}{_OWNER_SEPARATOR}{_owner_suffix(owner)}" if next_cursor and owner is not None else next_cursor,
    )


def paginate_span(
    all_rows: "QuerySet[_M, Any]",
    time_field: str,
    span: tuple[datetime | None, datetime | None],
    *,
    cursor: str | None,
    limit: int,
    **filters: Any,
) -> tuple[list[_M], str | None]:
    """The rows that match `filters` with `time_field` in the span, latest first, and the next page's cursor.

    The span includes its start and excludes its end; either may be None. An index on the field serves the query.

    Raises:
        Invalid: the cursor was not issued for this list.
    """
    rows, (after, before) = all_rows.filter(**filters), span
    if after is not None:
        rows = rows.filter(**{f"{time_field}__gte": after})
    if before is not None:
        rows = rows.filter(**{f"{time_field}__lt": before})
    if (last := parse_cursor(cursor, rows.model)) is not None:
        at = all_rows.filter(pk=last).values_list(time_field, flat=True).first()
        if at is None:
            raise _invalid_cursor()
        rows = rows.filter(Q(**{f"{time_field}__lt": at}) | Q(pk__lt=last), **{f"{time_field}__lte": at})
    return slice_page(list(rows.order_by(f"-{time_field}", "-pk")[: limit + 1]), limit)


def _owner_suffix(owner: Identified | None) -> str:
    """The suffix that identifies the owner's list: the end of its key, which is random."""
    return "" if owner is None else owner.id.hex[-_OWNER_DIGITS:]


def _invalid_cursor() -> Invalid:
    return Invalid(errors=[FieldError("?cursor", "not a cursor of this list")])


def parse_cursor(cursor: str | None, model: type[Identified]) -> UUID | None:
    """The key of the previous page's last row; None on the first page. A cursor is that row's public id.

    Raises:
        Invalid: the cursor is malformed, or belongs to a list of another model.
    """
    last = ids.parse(model.prefix, cursor) if cursor is not None else None
    if cursor is not None and last is None:
        raise _invalid_cursor()
    return last


def slice_page(rows: list[_M], limit: int) -> tuple[list[_M], str | None]:
    """One page of the rows found, which include one extra row if there are more, and the next page's cursor."""
    return rows[:limit], rows[limit - 1].public_id if len(rows) > limit else None


def newest_first(rows: "QuerySet[_M, Any]", *, is_small: bool) -> "QuerySet[_M, Any]":
    """Order newest first. If another index narrows the list to a few rows (`is_small`), those are read and sorted.

    PostgreSQL would otherwise scan the primary key until it meets them. A key's text sorts like the key.
    """
    return rows.order_by(Cast("pk", TextField()).desc() if is_small else "-pk")
