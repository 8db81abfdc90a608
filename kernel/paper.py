"""Papers: what a person can print, keep or send on, as a PDF with the Chinese font inside it.

A paper is plain data, and the same paper is the same bytes at any time and on any machine:

    paper = Paper(
        title=_("Receipt"), about="ord_…", at=when_it_was_asked_for, name="先享后付",
        blocks=[
            Facts([(_("Merchant"), merchant.name), (_("Order"), order.public_id)]),
            Table([_("Item"), _("Amount")], [("骑行", "¥12.00")], widths=[3, 1], figures={1}, title=_("Items")),
            Totals([(_("Paid"), "¥12.00"), (_("Still owed"), "¥0.00")]),
            Text(_("This receipt is not a tax invoice.")),
        ],
    )
    return HttpResponse(pdf_of(paper), content_type="application/pdf")

The template paper.html shows the same paper as a page. Every string comes as it is to be read: translated, and money
and times written out. Rows may be any number and a cell of any length. What the font has no sign for is shown as □.
Whoever prints the first one waits for what prints (kernel.pdf) to be read, and for the font: about a second.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from importlib import import_module
from typing import ClassVar


class FontMissingError(RuntimeError):
    """Papers in Chinese need Noto Sans SC: install what requirements/fonts.txt names."""


class Size(Enum):
    """How large a page is: width, height, margin (mm) and the size of its text (points)."""

    A4 = (210.0, 297.0, 20.0, 10.0)
    #: Read on a phone without zooming in.
    PHONE = (100.0, 178.0, 8.0, 9.0)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names, each with what it is."""

    kind: ClassVar[str] = "facts"

    rows: Sequence[tuple[str, str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table, and whether it is an amount."""

    text: str
    figure: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head, which stands again on every further page; `figures` are the columns of amounts."""

    kind: ClassVar[str] = "table"

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    figures: Collection[int] = ()
    title: str = ""

    @property
    def marked_head(self) -> list[Cell]:
        return self._marked(self.head)

    @property
    def marked_rows(self) -> list[list[Cell]]:
        return [self._marked(row) for row in self.rows]

    def _marked(self, row: Sequence[str]) -> list[Cell]:
        return [Cell(text, number in self.figures) for number, text in enumerate(row)]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums; the last one is what it comes to, and stands out."""

    kind: ClassVar[str] = "totals"

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; line breaks in it are kept."""

    kind: ClassVar[str] = "text"

    text: str
    title: str = ""


Block = Facts | Table | Totals | Text


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands on it: `about` under the title, who issues it at the foot of every page; `at`: when it was made."""

    title: str
    at: datetime
    blocks: Sequence[Block]
    about: str = ""
    name: str = ""
    size: Size = Size.A4


def pdf_of(paper: Paper) -> bytes:
    """The paper as a PDF.

    Raises:
        FontMissingError: the font is not installed.
    """
    return bytes(import_module("kernel.pdf").written(paper))  # 20 MB that whoever prints nothing does without
