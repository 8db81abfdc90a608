"""A channel's statement file is taken in: once for its content, and in pieces, taken up again where one was killed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from itertools import islice
from typing import BinaryIO
from uuid import UUID

from django.db import connection, transaction

from billing.channels.layouts import Layout
from billing.channels.statements import Damaged, Entry, Statement
from billing.models import StatementFile, StatementLine
from billing.services import compare
from billing.services.breaks import breaks_of, hear_breaks
from kernel.actor import Actor

#: So many lines are read, compared and kept in one transaction.
AT_ONCE = 10_000
PIECE_BYTES = 1 << 20
#: So many damaged lines are named before a file is taken in.
DAMAGED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What taking a file in would come to: the file as it would stand, its breaks by kind, damaged lines and why."""

    statement: StatementFile
    breaks: dict[str, tuple[int, int]]
    damaged: list[tuple[int, str]]


def import_statement(
    channel: str,
    file: BinaryIO,
    *,
    realm_id: int,
    day: date,
    layout: Layout,
    name: str,
    by: Actor,
    at: datetime,
    instead_of: date | None = None,
) -> StatementFile:
    """Read a statement of one of the channel's days, compare it, and let what it alone knows become true here.

    The same bytes again are the same import: what was kept stays, and what was not yet is done. Taken in for a wrong
    day before, they are this day's `instead_of` that one.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    statement = _known(channel, file, realm_id=realm_id, day=day, layout=layout, name=name, by=by, at=at)
    if instead_of is not None and statement.covers_on == instead_of != day:
        statement = _of_its_day(statement.pk, day, layout, by=by, at=at)
    if statement.read_at is None:
        _read(statement, file, layout, by=by, at=at)
    hear_breaks(realm_id, by=by, at=at)
    return StatementFile.objects.get(pk=statement.pk)


@transaction.atomic
def rehearse_statement(
    channel: str, file: BinaryIO, *, realm_id: int, day: date, layout: Layout, name: str, by: Actor, at: datetime
) -> Rehearsal:
    """What importing it would find. Nothing of it is kept, and nothing becomes true.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    statement = _known(channel, file, realm_id=realm_id, day=day, layout=layout, name=name, by=by, at=at)
    if statement.read_at is None:
        _read(statement, file, layout, by=by, at=at)
    statement = StatementFile.objects.get(pk=statement.pk)
    damaged = statement.entries.filter(verdict=StatementLine.Verdict.DAMAGED).order_by("place")
    found = Rehearsal(statement, breaks_of(statement), list(damaged.values_list("place", "damage")[:DAMAGED_SHOWN]))
    transaction.set_rollback(True)
    return found


def _known(
    channel: str, file: BinaryIO, *, realm_id: int, day: date, layout: Layout, name: str, by: Actor, at: datetime
) -> StatementFile:
    """The file's own row: the same content is the same file, whatever it is called; one without lines is its day's.

    Raises:
        UnreadableError: it is no statement in this layout.
    """
    begin, end = layout.window(day)
    digest, empty = _digest(file), _is_empty(file, layout)
    known = {"covers_on": day, "covers_from": begin, "covers_until": end, "name": name[:120]}
    statement, _ = StatementFile.objects.get_or_create(
        realm_id=realm_id,
        channel=channel,
        digest=digest,
        empty=empty,
        **({"covers_on": day} if empty else {}),
        defaults=known | {"imported_by": str(by), "imported_at": at},
    )
    return statement


@transaction.atomic
def _of_its_day(key: UUID, day: date, layout: Layout, *, by: Actor, at: datetime) -> StatementFile:
    """It is this day's from now on, and still to be ended: what is missing this day was not looked for yet.

    What was called missing on the other day stays open until that day's own file has it.
    """
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    statement.covers_on, (statement.covers_from, statement.covers_until) = day, layout.window(day)
    statement.imported_by, statement.imported_at, statement.read_at = str(by), at, None
    statement.save()
    return statement


def _is_empty(file: BinaryIO, layout: Layout) -> bool:
    """Whether it has no line: then it says of its day alone that nothing moved."""
    found = next(Statement(file, layout).lines(), None)
    file.seek(0)
    return found is None


def _digest(file: BinaryIO) -> str:
    """What the file is known by. It stands at its beginning before and after."""
    made = sha256()
    while piece := file.read(PIECE_BYTES):
        made.update(piece)
    file.seek(0)
    return made.hexdigest()


def _read(statement: StatementFile, file: BinaryIO, layout: Layout, *, by: Actor, at: datetime) -> None:
    """Take up the file where it was left, to its end."""
    through = Statement(file, layout)
    lines, first = through.lines(), 0
    while rows := list(islice(lines, AT_ONCE)):
        _keep(statement.pk, first, rows, at=at)
        first += len(rows)
    _finish(statement.pk, through.trouble, by=by, at=at)


@transaction.atomic
def _keep(key: UUID, first: int, rows: Sequence[Entry | Damaged], *, at: datetime) -> None:
    """Keep those of these lines that nobody has kept yet: whoever reads the same file beside us may be ahead."""
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    fresh = rows[max(statement.lines - first, 0) :]
    if not fresh:
        return
    compare.keep_lines(statement, fresh, at=at)
    statement.lines = first + len(rows)
    statement.damaged += sum(isinstance(row, Damaged) for row in fresh)
    statement.save(update_fields=["lines", "damaged"])


@transaction.atomic
def _finish(key: UUID, trouble: str, *, by: Actor, at: datetime) -> None:
    """All of it was read: what came is no longer missing, and what did not come is."""
    statement = StatementFile.objects.select_for_update(no_key=True).get(pk=key)
    if statement.read_at is not None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
    statement.read_at, statement.trouble = at, trouble[:200]
    statement.save(update_fields=["read_at", "trouble"])
    compare.let_come(statement, by=str(by), at=at)
    if not trouble:
        compare.wait_no_longer(statement, by=str(by), at=at)
        compare.miss_absent(statement, at=at)
