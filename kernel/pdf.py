"""A paper written as a PDF. `kernel.paper.pdf_of` alone reads this module, when a process prints its first paper."""

import unicodedata
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from django.utils.translation import get_language
from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

from kernel.line_breaking import lines_of
from kernel.paper import Block, Facts, FontMissingError, Paper, Table, Text, Totals

#: The package that carries the font, and the place of the font in it.
FONT = ("zhplot", "fonts/NotoSansSC-Regular.ttf")
_FACE = "NotoSansSC"
_INK, _SOFT, _LINE = (26, 29, 33), (90, 96, 105), (205, 209, 214)
_MISSING = "□"


def written(paper: Paper) -> bytes:
    """The paper as a PDF.

    Raises:
        FontMissingError: the font is not installed.
    """
    sheet = _Sheet(paper)
    sheet.lines(paper.title, sheet.text_size * 1.8)
    if paper.about:
        sheet.lines(paper.about, sheet.text_size, _SOFT)
    for block in paper.blocks:
        sheet.ln(sheet.text_size * 0.5)
        sheet.put(block)
    return bytes(sheet.output())


def font() -> Path:
    package, place = FONT
    spec = find_spec(package)
    path = Path(spec.origin).parent / place if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FontMissingError(FontMissingError.__doc__)
    return path


class _Sheet(FPDF):
    """A paper being written, from top to bottom."""

    def __init__(self, paper: Paper) -> None:
        width, height, margin, self.text_size = paper.size.value
        super().__init__(unit="mm", format=(width, height))
        self.paper = paper
        self.set_creation_date(paper.at)
        self.set_title(_visible(paper.title))
        self.set_author(_visible(paper.name))
        self.set_lang(get_language() or "en")
        self.set_margins(margin, margin, margin)
        self.set_auto_page_break(auto=False)
        self.bottom = height - margin - self.text_size * 0.6
        self.add_font(_FACE, fname=font())
        self.face = cast(TTFFont, self.fonts[_FACE.lower()])
        self.add_page()

    def footer(self) -> None:
        self.set_y(-self.l_margin)
        self.set_font(_FACE, size=self.text_size * 0.8)
        self.set_text_color(*_SOFT)
        page = _("Page %(page)d of %(pages)s") % {"page": self.page_no(), "pages": self.str_alias_nb_pages}
        name = f"{self.paper.name} · " if self.paper.name else ""
        self.cell(0, self.text_size * 0.5, self.shown(f"{name}{page}"))

    def put(self, block: Block) -> None:
        if not isinstance(block, Totals) and block.title:
            self.heading(block.title)
        if isinstance(block, Text):
            self.lines(block.text, self.text_size)
        elif isinstance(block, Facts):
            for row in block.rows:
                self.row(row, [1, 2], colours=[_SOFT, _INK])
        elif isinstance(block, Table):
            self.table_of(block)
        else:
            for row in block.rows[:-1]:
                self.row(row, [2, 1], figures={1})
            for row in block.rows[-1:]:
                self.rule()
                self.row(row, [2, 1], figures={1}, size=self.text_size * 1.25)

    def table_of(self, table: Table) -> None:
        head = Table(table.head, (), table.widths, table.figures)
        self.head(head)
        for row in table.rows:
            self.row(row, table.widths, figures=table.figures, head=head)
        self.rule()

    def head(self, table: Table) -> None:
        self.row(table.head, table.widths, figures=table.figures, colours=[_SOFT] * len(table.head))
        self.rule()

    def heading(self, title: str) -> None:
        # A heading at the foot of a page belongs to what follows it.
        self.room(self.text_size * 2)
        self.lines(title, self.text_size * 1.2)

    def row(
        self,
        cells: Sequence[str],
        widths: Sequence[float],
        *,
        figures: Collection[int] = (),
        colours: Sequence[tuple[int, int, int]] = (),
        size: float = 0,
        head: Table | None = None,
    ) -> None:
        """One row, line by line, so that a cell longer than a page goes on on the next."""
        size = size or self.text_size
        self.set_font(_FACE, size=size)
        gap, whole = 2 * self.c_margin, self.epw
        rooms = [whole * width / sum(widths) for width in widths]
        lines = [
            list(lines_of(self.shown(cell), room - gap, self.wide)) for cell, room in zip(cells, rooms, strict=True)
        ]
        for number in range(max(len(cell) for cell in lines)):
            if self.room(size * 0.55) and head:
                self.head(head)
            self.set_font(_FACE, size=size)
            left = self.l_margin
            for column, (cell, room) in enumerate(zip(lines, rooms, strict=True)):
                self.set_text_color(*(colours[column] if colours else _INK))
                self.set_x(left)
                if number < len(cell):
                    self.cell(room, size * 0.55, cell[number], align="R" if column in figures else "L")
                left += room
            self.ln(size * 0.55)
        self.ln(self.text_size * 0.1)

    def lines(self, text: str, size: float, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font(_FACE, size=size)
        for line in lines_of(self.shown(text), self.epw - 2 * self.c_margin, self.wide):
            self.room(size * 0.55)
            self.set_font(_FACE, size=size)
            self.set_text_color(*colour)
            self.cell(0, size * 0.55, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def rule(self) -> None:
        self.set_draw_color(*_LINE)
        self.line(self.l_margin, self.y, self.l_margin + self.epw, self.y)
        self.ln(self.text_size * 0.1)

    def wide(self, text: str) -> float:
        """How wide it stands in the size that is set (mm)."""
        return sum(self.face.cw[ord(sign)] for sign in text) * self.font_size / 1000

    def room(self, height: float) -> bool:
        """Begin a new page where so much does not fit any more; whether one was begun."""
        if self.y + height <= self.bottom:
            return False
        self.add_page()
        return True

    def shown(self, text: str) -> str:
        """Only what is seen, and only signs that the font has."""
        known = self.face.cmap
        return "".join(sign if sign == "\n" or ord(sign) in known else _MISSING for sign in _visible(text))


def _visible(text: str) -> str:
    """Without what is not seen and could turn or hide what is."""
    plain = text.replace("\r\n", "\n").replace("\t", " ").replace("\xa0", " ")
    return "".join(sign for sign in plain if sign == "\n" or unicodedata.category(sign)[0] != "C")
