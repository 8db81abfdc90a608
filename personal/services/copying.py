"""A copy of a person's data is made in the background, a step at a time (kernel.background_files).

A step copies some rows. Nothing is held but those, however much a person has done.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec
from django.db.models import Model
from django.utils import timezone, translation

from accounts.models import DEFAULT_LANGUAGE, Person
from kernel import background_files
from kernel.paper import pdf_of
from personal import rules
from personal.models import Export, ExportPiece
from personal.rules import Packed
from personal.summary import README, paper_of
from personal.tables import TABLES, Part, Table, Whose, files_of, plain

ROWS_A_STEP = 200
FILES = tuple(dict.fromkeys(f"{name}.json" for name in files_of(TABLES)))


def make_exports(*, at: datetime, seconds: float) -> int:
    """Work on what is asked for, the longest waiting first, for about so long. How many steps were done."""
    return background_files.make(Export, lambda _export: partial(_step, at=at), at=at, seconds=seconds)


def _step(export: Export, *, at: datetime) -> None:
    if export.step < len(TABLES):
        _copy(export, TABLES[export.step])
    else:
        _finish(export, at=at)


def _copy(export: Export, table: Table) -> None:
    person = Person.objects.get(pk=export.person_id)
    rows = list(table.rows(Whose(person.id, person.user_id), after=export.after, limit=ROWS_A_STEP))
    _write(export, table.file, rows)
    _copy_parts(export, table.parts, rows)
    export.after = str(rows[-1].pk) if rows else ""
    if len(rows) < ROWS_A_STEP:
        export.step, export.after = export.step + 1, ""


def _copy_parts(export: Export, parts: Iterable[Part], of: list[Model]) -> None:
    keys = [row.pk for row in of]
    for part in parts if keys else ():
        rows = list(part.model._default_manager.filter(**{f"{part.by}__in": keys}).order_by(part.by, "pk"))
        _write(export, part.file, rows)
        _copy_parts(export, part.parts, rows)


def _write(export: Export, file: str, rows: list[Model]) -> None:
    if not rows:
        return
    name = f"{file}.json"
    begun = export.files.get(name, {}).get("rows", 0)
    lines = b",\n".join(msgspec.json.encode(plain(row)) for row in rows)
    _add(export, name, (b",\n" if begun else b"[\n") + lines, rows=len(rows))
    export.rows += len(rows)


def _add(export: Export, name: str, clear: bytes, *, rows: int = 0) -> None:
    """A piece at the end of one file of the copy."""
    squeezed = rules.squeeze(clear)
    about = Packed(name, **export.files.get(name, {})).grown(clear, squeezed, rows=rows)
    export.files = {
        **export.files,
        name: {"rows": about.rows, "crc": about.crc, "size": about.size, "packed": about.packed},
    }
    piece = ExportPiece(export=export, person_id=export.person_id, file=name, number=export.pieces)
    piece.take(squeezed)
    piece.save(force_insert=True)
    export.pieces += 1


def _finish(export: Export, *, at: datetime) -> None:
    """Every file is closed, those that stayed empty too; what they are, and the page to read, stand beside them."""
    for name in FILES:
        _add(export, name, b"\n]\n" if name in export.files else b"[]\n")
    counts = {name: export.files[name]["rows"] for name in FILES}
    index = {"person": export.person.public_id, "asked_at": export.asked_at, "made_at": at, "rows": counts}
    _add(export, "index.json", msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    _add(export, "README.txt", README.encode())
    _add(export, "summary.pdf", _summary(export.person, counts, at=at))
    export.finish(kept=rules.EXPORT_KEPT, at=at)


def _summary(person: Person, counts: dict[str, int], *, at: datetime) -> bytes:
    """The page to read, in the person's own language and time."""
    language = person.user.language if person.user else DEFAULT_LANGUAGE
    with translation.override(language), timezone.override(person.zone):
        return pdf_of(paper_of(person, counts, at=at))
