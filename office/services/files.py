"""A list that is too long to be sent at once is made into a file in the background, a step at a time.

A step writes some rows and says how far it came, in one transaction: a worker may die anywhere, and the next one goes
on from there. Rows come by their keys, the newest first, so the last one is found as fast as the first; and nothing is
held but those of one step. What whoever asked may not see any more when it is made is not written.
"""

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import translation

from accounts.models import User
from kernel.admin_site import ReadOnlyAdmin
from kernel.csvfile import MARK, cell, csv_lines
from kernel.refusal import NotFound
from kernel.sheets import PARTS, SHEET, SHEET_BEGINS, SHEET_ENDS, SHEET_LINES_MAX, sheet_row
from office.models import Listing, ListingPiece
from office.refusals import FileOver, FileWaits
from personal.rules import Packed, archive, archive_size, squeeze

log = structlog.get_logger(__name__)
#: How long a worker is believed to be at it without a sign of life; how often it is taken up in vain.
LEASE, TRIES_MAX = timedelta(seconds=60), 5
#: How long a file can be fetched.
KEPT = timedelta(days=3)
ROWS_A_STEP, PIECES_AT_ONCE = 2_000, 20
LINES_MAX = {"csv": 5_000_000, "xlsx": SHEET_LINES_MAX - 1}
#: How long the rows are counted before it is begun without knowing how many there are.
COUNTS_FOR_MS = 2_000


@dataclass(frozen=True, slots=True)
class Source:
    """A list as its file is made of it."""

    shown: ReadOnlyAdmin
    head: list[object]
    rows: "QuerySet[Any]"


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
    if any("\0" in value for values in asked.GET.lists() for value in values[1]):
        raise IncorrectLookupParameters  # the list itself would say so in a message, and nobody is here to read it
    shown = next((one for model, one in admin.site._registry.items() if model._meta.label_lower == listing.table), None)  # noqa: SLF001
    if not isinstance(shown, ReadOnlyAdmin) or not shown.has_view_permission(asked):
        raise PermissionDenied
    with translation.override(listing.language):
        head, rows = shown.as_file(asked)
        return Source(shown, [str(name) for name in head], rows.order_by("-pk"))


def make_files(*, at: datetime, seconds: float) -> int:
    """Work on what is asked for, the longest waiting first, for about so long. How many steps were done."""
    until, steps = time.monotonic() + seconds, 0
    while time.monotonic() < until and (listing := _taken(at=at)):
        try:
            source, going = source_of(listing), True
            while going and time.monotonic() < until:
                going = _step(listing.id, source, lease=listing.next_at, at=at)
                steps += 1
            if going:
                Listing.objects.filter(pk=listing.pk, next_at=listing.next_at).update(next_at=at)
        except PermissionDenied:
            Listing.objects.filter(pk=listing.pk, next_at=listing.next_at).update(next_at=None, failed_at=at)
            _empty(listing)
        except Exception:
            log.exception("file_failed", file=listing.public_id, tries=listing.tries)
    return steps


@transaction.atomic
def _taken(*, at: datetime) -> Listing | None:
    """One that is due, which is this worker's from now on; what was tried too often is given up."""
    due = Listing.objects.select_related("user").filter(next_at__lte=at).order_by("next_at", "id")
    for listing in due.select_for_update(skip_locked=True, no_key=True, of=("self",))[:10]:
        listing.tries, listing.next_at = listing.tries + 1, at + LEASE
        if listing.tries <= TRIES_MAX:
            listing.save(update_fields=["tries", "next_at"])
            return listing
        listing.next_at, listing.failed_at = None, at
        listing.save(update_fields=["tries", "next_at", "failed_at"])
        _empty(listing)
    return None


@transaction.atomic
def _step(listing_id: UUID, source: Source, *, lease: datetime | None, at: datetime) -> bool:
    """Write what comes next; False when it is whole, or somebody else's meanwhile."""
    listing = Listing.objects.locked(listing_id)
    if listing.next_at != lease or lease is None:
        return False
    if not listing.pieces:
        listing.expected = _count(source.rows)
        _add(listing, _begun(listing.kind, source.head))
    left = LINES_MAX[listing.kind] - listing.rows
    rows = source.rows.filter(pk__lt=listing.after) if listing.after else source.rows
    found = list(rows[: min(ROWS_A_STEP, left + 1)])
    with translation.override(listing.language):
        _add(listing, b"".join(_line(listing.kind, source.shown.line(row)) for row in found[:left]))
    listing.rows += len(found[:left])
    listing.cut = len(found) > left
    if found:
        listing.after = str(found[-1].pk)
    if len(found) < ROWS_A_STEP:
        _finish(listing, at=at)
    listing.tries = 0
    listing.save()
    return listing.made_at is None


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


def _begun(kind: str, head: list[object]) -> bytes:
    return (MARK.encode() if kind == Listing.Kind.CSV else SHEET_BEGINS) + _line(kind, head)


def _line(kind: str, values: list[object]) -> bytes:
    """A line in which a spreadsheet calculates nothing."""
    if kind == Listing.Kind.CSV:
        return "".join(csv_lines([[cell(value) for value in values]])).encode()
    return sheet_row(values)


def _finish(listing: Listing, *, at: datetime) -> None:
    if listing.kind == Listing.Kind.XLSX:
        _add(listing, SHEET_ENDS)
    listing.next_at, listing.made_at, listing.expires_at = None, at, at + KEPT


def _add(listing: Listing, clear: bytes) -> None:
    """A piece at the end of the file."""
    if not clear:
        return
    squeezed = squeeze(clear)
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
    body = archive([*files, (sheet, _pieces(listing))], made_at=listing.made_at or at)
    return listing, body, archive_size([*parts, sheet])


def _closed(listing: Listing) -> Iterator[bytes]:
    """Each piece as a stream of its own."""
    return (piece + b"\x03\x00" for piece in _pieces(listing))


def _pieces(listing: Listing) -> Iterator[bytes]:
    rows, after = ListingPiece.objects.filter(listing=listing).order_by("number"), -1
    while found := list(rows.filter(number__gt=after)[:PIECES_AT_ONCE]):
        yield from (piece.reveal() for piece in found)
        after = found[-1].number


@transaction.atomic
def empty_files(*, at: datetime, limit: int = 20) -> int:
    """Throw away what has expired. Returns how many files that were."""
    over = Listing.objects.filter(expires_at__lte=at, emptied_at__isnull=True).order_by("expires_at")
    rows = list(over.select_for_update(skip_locked=True, no_key=True)[:limit])
    for listing in rows:
        listing.emptied_at = at
        listing.save(update_fields=["emptied_at"])
        _empty(listing)
    return len(rows)


def _empty(listing: Listing) -> None:
    """Its contents are gone."""
    ListingPiece.objects.filter(listing=listing).delete()
