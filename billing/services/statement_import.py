"""Import of a channel's statement file: once for its content, in batches, resumed where a crash left it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from itertools import islice
from typing import BinaryIO
from uuid import UUID

from django.db import connection, transaction

from billing.channels.statement_layouts import StatementLayout
from billing.channels.statements import Damaged, Entry, StatementReader
from billing.models import StatementFile, StatementLine
from billing.services import statement_matching
from billing.services.breaks import count_breaks_by_kind, process_breaks
from kernel.actor import Actor

#: How many lines are read, matched and stored in one transaction.
LINES_PER_BATCH = 10_000
CHUNK_BYTES = 1 << 20
#: How many damaged lines a preview lists.
DAMAGED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would result in: the file as it would be stored, breaks by kind, damaged lines with the reason."""

    statement: StatementFile
    breaks: dict[str, tuple[int, int]]
    damaged: list[tuple[int, str]]


def import_statement(
    channel: str,
    file: BinaryIO,
    *,
    realm_id: int,
    day: date,
    layout: StatementLayout,
    name: str,
    by: Actor,
    at: datetime,
    instead_of: date | None = None,
) -> StatementFile:
    """Read a channel's statement of one day, match it with our records, and apply outcomes that only it reports.

    The same bytes again are the same import: stored lines stay, and the rest is completed. `instead_of` corrects an
    import of this file under a wrong day.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    statement = _get_or_create_file(channel, file, realm_id=realm_id, day=day, layout=layout, name=name, by=by, at=at)
    if instead_of is not None and statement.covers_on == instead_of != day:
        statement = _change_day(statement.pk, day, layout, by=by, at=at)
    if statement.read_at is None:
        _read_lines(statement, file, layout, by=by, at=at)
    process_breaks(realm_id, by=by, at=at)
    return StatementFile.objects.get(pk=statement.pk)


@transaction.atomic
def preview_statement(
    channel: str,
    file: BinaryIO,
    *,
    realm_id: int,
    day: date,
    layout: StatementLayout,
    name: str,
    by: Actor,
    at: datetime,
) -> ImportPreview:
    """What importing the file would find. Nothing is stored or applied.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    statement = _get_or_create_file(channel, file, realm_id=realm_id, day=day, layout=layout, name=name, by=by, at=at)
    if statement.read_at is None:
        _read_lines(statement, file, layout, by=by, at=at)
    statement = StatementFile.objects.get(pk=statement.pk)
    damaged = statement.entries.filter(verdict=StatementLine.Verdict.DAMAGED).order_by("place")
    preview = ImportPreview(
        statement, count_breaks_by_kind(statement), list(damaged.values_list("place", "damage")[:DAMAGED_SHOWN])
    )
    transaction.set_rollback(True)
    return preview


def _get_or_create_file(
    channel: str,
    file: BinaryIO,
    *,
    realm_id: int,
    day: date,
    layout: StatementLayout,
    name: str,
    by: Actor,
    at: datetime,
) -> StatementFile:
    """The row of the file: identified by its content, whatever its name; a file without lines also by its day.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    begin, end = layout.day_bounds(day)
    digest, empty = _digest(file), _is_empty(file, layout)
    defaults = {"covers_on": day, "covers_from": begin, "covers_until": end, "name": name[:120]}
    statement, _ = StatementFile.objects.get_or_create(
        realm_id=realm_id,
        channel=channel,
        digest=digest,
        empty=empty,
        **({"covers_on": day} if empty else {}),
        defaults=defaults | {"imported_by": str(by), "imported_at": at},
    )
    return statement


@transaction.atomic
def _change_day(key: UUID, day: date, layout: StatementLayout, *, by: Actor, at: datetime) -> StatementFile:
    """Assign the file to another day and reopen it: movements missing on that day have not been looked for yet.

    Breaks for movements missing on the wrong day stay open until that day's own file has them.
    """
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    statement.covers_on, (statement.covers_from, statement.covers_until) = day, layout.day_bounds(day)
    statement.imported_by, statement.imported_at, statement.read_at = str(by), at, None
    statement.save()
    return statement


def _is_empty(file: BinaryIO, layout: StatementLayout) -> bool:
    """Whether it has no lines: it then only says that nothing moved on its day."""
    first_line = next(StatementReader(file, layout).lines(), None)
    file.seek(0)
    return first_line is None


def _digest(file: BinaryIO) -> str:
    """SHA-256 of the content. The file is at its beginning before and after."""
    digest = sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _read_lines(statement: StatementFile, file: BinaryIO, layout: StatementLayout, *, by: Actor, at: datetime) -> None:
    """Read the file to its end, storing the lines that are not stored yet."""
    reader = StatementReader(file, layout)
    lines, first = reader.lines(), 0
    while rows := list(islice(lines, LINES_PER_BATCH)):
        _store_lines(statement.pk, first, rows, at=at)
        first += len(rows)
    _finish_file(statement.pk, reader.trouble, by=by, at=at)


@transaction.atomic
def _store_lines(key: UUID, first: int, rows: Sequence[Entry | Damaged], *, at: datetime) -> None:
    """Store the lines that are not stored yet: a concurrent import of the same file may be ahead of this one."""
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    new_rows = rows[max(statement.lines - first, 0) :]
    if not new_rows:
        return
    statement_matching.store_lines(statement, new_rows, at=at)
    statement.lines = first + len(rows)
    statement.damaged += sum(isinstance(row, Damaged) for row in new_rows)
    statement.save(update_fields=["lines", "damaged"])


@transaction.atomic
def _finish_file(key: UUID, trouble: str, *, by: Actor, at: datetime) -> None:
    """Mark the file as read, close breaks of what it contains, and open breaks of what it lacks."""
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    if statement.read_at is not None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
    statement.read_at, statement.trouble = at, trouble[:200]
    statement.save(update_fields=["read_at", "trouble"])
    statement_matching.close_arrived_breaks(statement, by=str(by), at=at)
    if not trouble:
        statement_matching.escalate_late_breaks(statement, by=str(by), at=at)
        statement_matching.open_absent_breaks(statement, at=at)
