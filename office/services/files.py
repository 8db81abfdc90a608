"""A list that is too long to be sent at once is made into a file in the background, a step at a time.

Rows come by their keys, the newest first, so the last one is found as fast as the first; and nothing is held but those
of one step. What whoever asked may not see any more when it is made is not written.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import translation

from accounts.models import User
from kernel import background_files
from kernel.admin_site import ReadOnlyAdmin
from kernel.columns import Read, reader_of
from kernel.csvfile import MARK, csv_block
from kernel.refusal import NotFound
from kernel.sheets import PARTS, SHEET, SHEET_BEGINS, SHEET_ENDS, SHEET_LINES_MAX, sheet_block
from office.models import Listing, ListingPiece
from office.refusals import FileOver, FileWaits
from personal.rules import Packed, archive, archive_size, squeeze

#: How long a file can be fetched.
KEPT = timedelta(days=3)
#: What is tried again goes in smaller steps: of a filter that finds little, so many rows may be far apart.
ROWS_A_STEP, ROWS_AGAIN = 10_000, 1_000
#: A list is thrown away in three days: a third of the work for a file that is a tenth larger.
SQUEEZED = 1
LINES_MAX = {"csv": 5_000_000, "xlsx": SHEET_LINES_MAX - 1}
#: How long the rows are counted before it is begun without knowing how many there are.
COUNTS_FOR_MS = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """A list as its file is made of it."""

    shown: ReadOnlyAdmin
    head: list[str]
    rows: "QuerySet[Any]"
    read: "Callable[[QuerySet[Any]], Read]"


def ask_file(user: User, table: str, look: str, kind: str, *, language: str, at: datetime) -> Listing:
    """A colleague wants a long list as a file.

    Raises:
        PermissionDenied: they may not look at it.
        FileWaits: another one of theirs is being made.
    """
    row = Listing(user=user, table=table, look=look, kind=kind, language=language, asked_at=at, next_at=at)
    source_of(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as clash:
        if "one_file_is_made_at_a_time" not in str(clash):
            raise
        raise FileWaits from None
    return row


def source_of(listing: Listing) -> Source:
    """The list that was asked for, as whoever asked sees it now.

    Raises:
        PermissionDenied: they may not, or not any more.
        IncorrectLookupParameters: no list is filtered like that.
    """
    asked = HttpRequest()
    asked.method, asked.GET, asked.user = "GET", QueryDict(listing.look), listing.user
    shown = next((one for model, one in admin.site._registry.items() if model._meta.label_lower == listing.table), None)  # noqa: SLF001
    if not isinstance(shown, ReadOnlyAdmin) or not shown.has_view_permission(asked):
        raise PermissionDenied
    with translation.override(listing.language):
        head, rows = shown.as_file(asked)
        return Source(shown, [str(name) for name in head], rows.order_by("-pk"), reader_of(shown, shown.shown))


def make_files(*, at: datetime, seconds: float) -> int:
    """Work on what is asked for, the longest waiting first, for about so long. How many steps were done."""
    return background_files.make(Listing, partial(_begun_as, at=at), at=at, seconds=seconds)


def _begun_as(listing: Listing, *, at: datetime) -> Callable[[Listing], None]:
    """What a step of it is, as long as whoever asked may look."""
    try:
        at_once = ROWS_A_STEP if listing.tries <= 1 else ROWS_AGAIN
        return partial(_step, source=source_of(listing), at_once=at_once, at=at)
    except PermissionDenied:
        raise background_files.HopelessError from None


def _step(listing: Listing, *, source: Source, at_once: int, at: datetime) -> None:
    if not listing.pieces:
        listing.expected = _count(source.rows)
        _add(listing, _begun(listing.kind, source.head))
    left = LINES_MAX[listing.kind] - listing.rows
    rows = source.rows.filter(pk__lt=listing.after) if listing.after else source.rows
    with translation.override(listing.language):
        found = source.read(rows[: min(at_once, left + 1)])
    count = len(found.keys)
    _add(listing, _lines(listing.kind, [column[:left] for column in found.columns]))
    listing.rows += min(count, left)
    listing.cut = count > left
    if found.keys:
        listing.after = found.keys[-1]
    if count < at_once:
        _finish(listing, at=at)


def _count(rows: "QuerySet[Any]") -> int | None:
    """How many there are, where that can be told soon. The rest of the step keeps its own time limit."""
    try:
        with transaction.atomic(), transaction.get_connection().cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(COUNTS_FOR_MS)])
            count = int(rows.order_by().count())
            transaction.set_rollback(True)  # a limit that was set in here would outlast it
            return count
    except OperationalError:
        return None


def _begun(kind: str, head: list[str]) -> bytes:
    return (MARK.encode() if kind == Listing.Kind.CSV else SHEET_BEGINS) + _lines(kind, [[name] for name in head])


def _lines(kind: str, columns: list[list[str]]) -> bytes:
    """Lines in which a spreadsheet calculates nothing."""
    return csv_block(columns).encode() if kind == Listing.Kind.CSV else sheet_block(columns)


def _finish(listing: Listing, *, at: datetime) -> None:
    if listing.kind == Listing.Kind.XLSX:
        _add(listing, SHEET_ENDS)
    listing.finish(kept=KEPT, at=at)


def _add(listing: Listing, clear: bytes) -> None:
    """A piece at the end of the file."""
    if not clear:
        return
    squeezed = squeeze(clear, SQUEEZED)
    grown = Packed(SHEET, **listing.written).grown(clear, squeezed)
    listing.written = {"crc": grown.crc, "size": grown.size, "packed": grown.packed}
    piece = ListingPiece(listing=listing, user_id=listing.user_id, number=listing.pieces)
    piece.take(squeezed)
    piece.save(force_insert=True)
    listing.pieces += 1


def fetch_file(user: User, listing_id: UUID, *, at: datetime) -> tuple[Listing, Iterator[bytes], int]:
    """The file, a piece at a time, and how many bytes it comes to: for whoever asked for it, while they may look.

    Raises:
        NotFound: missing, or somebody else's.
        FileOver: it is not ready, or not any more.
        PermissionDenied: they may not look at the list any more.
    """
    listing = Listing.objects.select_related("user").filter(pk=listing_id, user=user).first()
    if listing is None:
        raise NotFound
    if not listing.ready(at):
        raise FileOver
    source_of(listing)
    if listing.kind == Listing.Kind.CSV:
        return listing, (zlib.decompress(piece, -zlib.MAX_WBITS) for piece in _closed(listing)), listing.size
    sheet = Packed(SHEET, **listing.written)
    parts = [Packed(name).grown(text, squeeze(text)) for name, text in PARTS.items()]
    files = [(part, [squeeze(text)]) for part, text in zip(parts, PARTS.values(), strict=True)]
    body = archive([*files, (sheet, listing.read())], made_at=listing.made_at or at)
    return listing, body, archive_size([*parts, sheet])


def _closed(listing: Listing) -> Iterator[bytes]:
    """Each piece as a stream of its own."""
    return (piece + b"\x03\x00" for piece in listing.read())


def empty_files(*, at: datetime, limit: int = 20) -> int:
    """Throw away what has expired. Returns how many files that were."""
    return background_files.throw_away(Listing, at=at, limit=limit)
