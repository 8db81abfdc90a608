"""Build copies of personal data in the background, step by step (kernel.background_files).

Each step copies a limited number of rows, so memory does not grow with the amount of data.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec
from django.db.models import Model
from django.utils import timezone, translation

from accounts.models import DEFAULT_LANGUAGE, Person
from kernel import background_files
from kernel.documents import render_pdf
from personal import rules
from personal.export_tables import TABLES, ChildTable, DataSubject, Table, export_row, file_names_of
from personal.models import Export, ExportPiece
from personal.rules import ArchiveFile
from personal.summary import README, build_summary

ROWS_A_STEP = 200
FILES = tuple(dict.fromkeys(f"{name}.json" for name in file_names_of(TABLES)))


def make_exports(*, at: datetime, seconds: float) -> int:
    """Work on requested copies for about `seconds`, the longest waiting first. Returns the number of steps done."""
    return background_files.generate_files(Export, lambda _export: partial(_step, at=at), at=at, seconds=seconds)


def _step(export: Export, *, at: datetime) -> None:
    if export.step < len(TABLES):
        _copy_table(export, TABLES[export.step])
    else:
        _finish(export, at=at)


def _copy_table(export: Export, table: Table) -> None:
    person = Person.objects.get(pk=export.person_id)
    rows = list(table.rows(DataSubject(person.id, person.user_id), after=export.after, limit=ROWS_A_STEP))
    _write_rows(export, table.file, rows)
    _copy_children(export, table.children, rows)
    export.after = str(rows[-1].pk) if rows else ""
    if len(rows) < ROWS_A_STEP:
        export.step, export.after = export.step + 1, ""


def _copy_children(export: Export, parts: Iterable[ChildTable], parents: list[Model]) -> None:
    keys = [row.pk for row in parents]
    for child in parts if keys else ():
        rows = list(
            child.model._default_manager.filter(**{f"{child.parent_column}__in": keys}).order_by(
                child.parent_column, "pk"
            )
        )
        _write_rows(export, child.file, rows)
        _copy_children(export, child.children, rows)


def _write_rows(export: Export, file: str, rows: list[Model]) -> None:
    if not rows:
        return
    name = f"{file}.json"
    written = export.files.get(name, {}).get("rows", 0)
    lines = b",\n".join(msgspec.json.encode(export_row(row)) for row in rows)
    _append_piece(export, name, (b",\n" if written else b"[\n") + lines, rows=len(rows))
    export.rows += len(rows)


def _append_piece(export: Export, name: str, content: bytes, *, rows: int = 0) -> None:
    """Append a piece to one file of the copy."""
    compressed = rules.deflate(content)
    archive_file = ArchiveFile(name, **export.files.get(name, {})).appended(content, compressed, rows=rows)
    export.files = {
        **export.files,
        name: {
            "rows": archive_file.rows,
            "crc": archive_file.crc,
            "size": archive_file.size,
            "packed": archive_file.packed,
        },
    }
    piece = ExportPiece(export=export, person_id=export.person_id, file=name, number=export.pieces)
    piece.set_content(compressed)
    piece.save(force_insert=True)
    export.pieces += 1


def _finish(export: Export, *, at: datetime) -> None:
    """Close every file, including empty ones, and add the index, README and summary."""
    for name in FILES:
        _append_piece(export, name, b"\n]\n" if name in export.files else b"[]\n")
    counts = {name: export.files[name]["rows"] for name in FILES}
    index = {"person": export.person.public_id, "asked_at": export.asked_at, "made_at": at, "rows": counts}
    _append_piece(export, "index.json", msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    _append_piece(export, "README.txt", README.encode())
    _append_piece(export, "summary.pdf", _summary(export.person, counts, at=at))
    export.mark_finished(kept_for=rules.EXPORT_RETENTION, at=at)


def _summary(person: Person, counts: dict[str, int], *, at: datetime) -> bytes:
    """The summary as a PDF, in the person's language and time zone."""
    language = person.user.language if person.user else DEFAULT_LANGUAGE
    with translation.override(language), timezone.override(person.zone):
        return render_pdf(build_summary(person, counts, at=at))
