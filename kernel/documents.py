"""Printable documents such as receipts and invoices, rendered as PDF with an embedded Chinese font.

A document is plain data; the same document renders to the same bytes at any time and on any machine:

    document = Document(
        title=_("Receipt"), subtitle="ord_…", created_at=requested_at, issuer="先享后付",
        blocks=[
            FieldList([(_("Merchant"), merchant.name), (_("Order"), order.public_id)]),
            Table([_("Item"), _("Amount")], [("骑行", "¥12.00")], widths=[3, 1], amount_columns={1}, title=_("Items")),
            Totals([(_("Paid"), "¥12.00"), (_("Still owed"), "¥0.00")]),
            Text(_("This receipt is not a tax invoice.")),
        ],
    )
    return HttpResponse(render_pdf(document), content_type="application/pdf")

The template document.html shows the same document as a page. All strings are final: translated, with amounts and
times formatted. There may be any number of rows and cells of any length. Characters missing in the font become □.
The first PDF of a process takes about a second longer, to import kernel.pdf and load the font.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from importlib import import_module
from typing import ClassVar


class FontMissingError(RuntimeError):
    """Documents in Chinese need Noto Sans SC: install what requirements/fonts.txt names."""


class Size(Enum):
    """The page format: width, height, margin (mm) and text size (points)."""

    A4 = (210.0, 297.0, 20.0, 10.0)
    #: Readable on a phone without zooming.
    PHONE = (100.0, 178.0, 8.0, 9.0)


@dataclass(frozen=True, slots=True)
class FieldList:
    """A list of labels, each with its value."""

    kind: ClassVar[str] = "fields"

    rows: Sequence[tuple[str, str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of one table cell, and whether it is an amount."""

    text: str
    is_amount: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head, which is repeated on every page; `figures` are the columns of amounts."""

    kind: ClassVar[str] = "table"

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    amount_columns: Collection[int] = ()
    title: str = ""

    @property
    def head_cells(self) -> list[Cell]:
        return self._cells(self.head)

    @property
    def row_cells(self) -> list[list[Cell]]:
        return [self._cells(row) for row in self.rows]

    def _cells(self, row: Sequence[str]) -> list[Cell]:
        return [Cell(text, number in self.amount_columns) for number, text in enumerate(row)]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums; the last one is the total and is emphasised."""

    kind: ClassVar[str] = "totals"

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; its line breaks are kept."""

    kind: ClassVar[str] = "text"

    text: str
    title: str = ""


Block = FieldList | Table | Totals | Text


@dataclass(frozen=True, slots=True)
class Document:
    """A document's content: `subtitle` below the title, `issuer` at the foot of every page."""

    title: str
    created_at: datetime
    blocks: Sequence[Block]
    subtitle: str = ""
    issuer: str = ""
    size: Size = Size.A4


def render_pdf(document: Document) -> bytes:
    """Render the document as a PDF.

    Raises:
        FontMissingError: the font is not installed.
    """
    return bytes(import_module("kernel.pdf").render(document))  # imported only when needed: it takes 20 MB
