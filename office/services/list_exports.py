"""Exports of long admin lists to files, made in the background a step at a time.

Rows are read by key, the newest first, so the last page is as fast as the first, and only one step's rows are in
memory. Permissions are checked again at each step, as of that moment.
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
from kernel.admin_columns import ColumnBatch, column_reader
from kernel.admin_site import ReadOnlyAdmin
from kernel.csvfile import UTF8_BOM, csv_from_columns
from kernel.refusal import NotFound
from kernel.spreadsheets import SHEET_END, SHEET_PATH, SHEET_ROWS_MAX, SHEET_START, WORKBOOK_PARTS, sheet_from_columns
from office.models import Listing, ListingPiece
from office.refusals import FileGone, FileInProgress
from personal.rules import ArchiveFile, deflate, stream_zip, zip_size

#: How long a file can be downloaded.
KEEP_FOR = timedelta(days=3)
#: A retry takes smaller steps: with a filter that matches few rows, a full step may scan too far.
ROWS_A_STEP, ROWS_A_RETRY = 10_000, 1_000
#: zlib level: files live three days, and level 1 takes a third of the time for a file that is a tenth larger.
COMPRESSION_LEVEL = 1
LINES_MAX = {"csv": 5_000_000, "xlsx": SHEET_ROWS_MAX - 1}
#: Time limit for counting the rows; after it the export starts without a known total.
COUNT_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class ExportSource:
    """An admin list to export: its model admin, headers, rows and the reader of its columns."""

    model_admin: ReadOnlyAdmin
    headers: list[str]
    rows: "QuerySet[Any]"
    read_batch: "Callable[[QuerySet[Any]], ColumnBatch]"


def request_export(user: User, table: str, look: str, kind: str, *, language: str, at: datetime) -> Listing:
    """Request a long list as a file.

    Raises:
        PermissionDenied: the user may not view the list.
        FileInProgress: another file of theirs is being made.
    """
    row = Listing(user=user, table=table, look=look, kind=kind, language=language, asked_at=at, next_at=at)
    export_source(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as clash:
        if "one_file_is_made_at_a_time" not in str(clash):
            raise
        raise FileInProgress from None
    return row


def export_source(listing: Listing) -> ExportSource:
    """The requested list with the permissions its user has now.

    Raises:
        PermissionDenied: the user may not view the list, or not any more.
        IncorrectLookupParameters: the filter is not valid for this list.
    """
    request = HttpRequest()
    request.method, request.GET, request.user = "GET", QueryDict(listing.look), listing.user
    registry = admin.site._registry.items()  # noqa: SLF001  there is no public way to ask
    model_admin = next((found for model, found in registry if model._meta.label_lower == listing.table), None)
    if not isinstance(model_admin, ReadOnlyAdmin) or not model_admin.has_view_permission(request):
        raise PermissionDenied
    with translation.override(listing.language):
        headers, rows = model_admin.export_rows(request)
        return ExportSource(
            model_admin,
            [str(name) for name in headers],
            rows.order_by("-pk"),
            column_reader(model_admin, model_admin.column_names),
        )


def process_exports(*, at: datetime, seconds: float) -> int:
    """Work on requested files, the longest waiting first, for about `seconds`. Returns how many steps were done."""
    return background_files.generate_files(Listing, partial(_step_runner, at=at), at=at, seconds=seconds)


def _step_runner(listing: Listing, *, at: datetime) -> Callable[[Listing], None]:
    """The function that runs one step of this file.

    Raises:
        PermanentFileError: its user may not view the list any more.
    """
    try:
        batch_size = ROWS_A_STEP if listing.tries <= 1 else ROWS_A_RETRY
        return partial(_write_step, source=export_source(listing), batch_size=batch_size, at=at)
    except PermissionDenied:
        raise background_files.PermanentFileError from None


def _write_step(listing: Listing, *, source: ExportSource, batch_size: int, at: datetime) -> None:
    if not listing.pieces:
        listing.expected = _count_rows(source.rows)
        _append(listing, _file_start(listing.kind, source.headers))
    rows_left = LINES_MAX[listing.kind] - listing.rows
    rows = source.rows.filter(pk__lt=listing.after) if listing.after else source.rows
    with translation.override(listing.language):
        batch = source.read_batch(rows[: min(batch_size, rows_left + 1)])
    count = len(batch.keys)
    _append(listing, _encode_rows(listing.kind, [column[:rows_left] for column in batch.columns]))
    listing.rows += min(count, rows_left)
    listing.cut = count > rows_left
    if batch.keys:
        listing.after = batch.keys[-1]
    if count < batch_size:
        _finish(listing, at=at)


def _count_rows(rows: "QuerySet[Any]") -> int | None:
    """How many rows there are, or None if counting takes too long. The step's own time limit stays as it was."""
    try:
        with transaction.atomic(), transaction.get_connection().cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(COUNT_TIMEOUT_MS)])
            count = int(rows.order_by().count())
            transaction.set_rollback(True)  # or the timeout would outlast this savepoint
            return count
    except OperationalError:
        return None


def _file_start(kind: str, headers: list[str]) -> bytes:
    return (UTF8_BOM.encode() if kind == Listing.Kind.CSV else SHEET_START) + _encode_rows(
        kind, [[name] for name in headers]
    )


def _encode_rows(kind: str, columns: list[list[str]]) -> bytes:
    """Rows encoded for the file, with values escaped so that spreadsheets do not run them as formulas."""
    return csv_from_columns(columns).encode() if kind == Listing.Kind.CSV else sheet_from_columns(columns)


def _finish(listing: Listing, *, at: datetime) -> None:
    if listing.kind == Listing.Kind.XLSX:
        _append(listing, SHEET_END)
    listing.mark_finished(kept_for=KEEP_FOR, at=at)


def _append(listing: Listing, content: bytes) -> None:
    """Compress the content and store it as the file's next piece."""
    if not content:
        return
    compressed = deflate(content, COMPRESSION_LEVEL)
    packed = ArchiveFile(SHEET_PATH, **listing.written).appended(content, compressed)
    listing.written = {"crc": packed.crc, "size": packed.size, "packed": packed.packed}
    piece = ListingPiece(listing=listing, user_id=listing.user_id, number=listing.pieces)
    piece.set_content(compressed)
    piece.save(force_insert=True)
    listing.pieces += 1


def open_export(user: User, listing_id: UUID, *, at: datetime) -> tuple[Listing, Iterator[bytes], int]:
    """The file as a stream of pieces, and its size in bytes.

    Raises:
        NotFound: missing, or another user's.
        FileGone: not ready, or expired.
        PermissionDenied: the user may not view the list any more.
    """
    listing = Listing.objects.select_related("user").filter(pk=listing_id, user=user).first()
    if listing is None:
        raise NotFound
    if not listing.is_ready(at):
        raise FileGone
    export_source(listing)
    if listing.kind == Listing.Kind.CSV:
        return listing, (zlib.decompress(piece, -zlib.MAX_WBITS) for piece in _closed_pieces(listing)), listing.size
    sheet = ArchiveFile(SHEET_PATH, **listing.written)
    parts = [ArchiveFile(name).appended(text, deflate(text)) for name, text in WORKBOOK_PARTS.items()]
    files = [(part, [deflate(text)]) for part, text in zip(parts, WORKBOOK_PARTS.values(), strict=True)]
    body = stream_zip([*files, (sheet, listing.iter_pieces())], made_at=listing.made_at or at)
    return listing, body, zip_size([*parts, sheet])


def _closed_pieces(listing: Listing) -> Iterator[bytes]:
    """Each piece terminated, so that it is a complete deflate stream by itself."""
    return (piece + b"\x03\x00" for piece in listing.iter_pieces())


def delete_expired_exports(*, at: datetime, limit: int = 20) -> int:
    """Delete expired files. Returns how many."""
    return background_files.delete_expired(Listing, at=at, limit=limit)
