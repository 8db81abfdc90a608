"""Renders a document as PDF. Only `kernel.documents.render_pdf` imports this module, when it is first needed."""

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

from kernel.documents import Block, Document, FieldList, FontMissingError, Table, Text, Totals
from kernel.line_breaking import wrap_text

#: The package that contains the font, and the font's path in it.
FONT = ("zhplot", "fonts/NotoSansSC-Regular.ttf")
_FONT_NAME = "NotoSansSC"
_INK, _SOFT, _LINE = (26, 29, 33), (90, 96, 105), (205, 209, 214)
_MISSING_GLYPH = "□"


def render(document: Document) -> bytes:
    """Render the document as a PDF.

    Raises:
        FontMissingError: the font is not installed.
    """
    writer = _PdfWriter(document)
    writer.write_lines(document.title, writer.text_size * 1.8)
    if document.subtitle:
        writer.write_lines(document.subtitle, writer.text_size, _SOFT)
    for block in document.blocks:
        writer.ln(writer.text_size * 0.5)
        writer.write_block(block)
    return bytes(writer.output())


def font_path() -> Path:
    package, place = FONT
    spec = find_spec(package)
    path = Path(spec.origin).parent / place if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FontMissingError(FontMissingError.__doc__)
    return path


class _PdfWriter(FPDF):
    """Writes a document from top to bottom."""

    def __init__(self, document: Document) -> None:
        width, height, margin, self.text_size = document.size.value
        super().__init__(unit="mm", format=(width, height))
        self.document = document
        self.set_creation_date(document.created_at)
        self.set_title(_without_control_chars(document.title))
        self.set_author(_without_control_chars(document.issuer))
        self.set_lang(get_language() or "en")
        self.set_margins(margin, margin, margin)
        self.set_auto_page_break(auto=False)
        self.bottom = height - margin - self.text_size * 0.6
        self.add_font(_FONT_NAME, fname=font_path())
        self.face = cast(TTFFont, self.fonts[_FONT_NAME.lower()])
        self.add_page()

    def footer(self) -> None:
        self.set_y(-self.l_margin)
        self.set_font(_FONT_NAME, size=self.text_size * 0.8)
        self.set_text_color(*_SOFT)
        page = _("Page %(page)d of %(pages)s") % {"page": self.page_no(), "pages": self.str_alias_nb_pages}
        name = f"{self.document.issuer} · " if self.document.issuer else ""
        self.cell(0, self.text_size * 0.5, self.printable(f"{name}{page}"))

    def write_block(self, block: Block) -> None:
        if not isinstance(block, Totals) and block.title:
            self.write_heading(block.title)
        if isinstance(block, Text):
            self.write_lines(block.text, self.text_size)
        elif isinstance(block, FieldList):
            for row in block.rows:
                self.write_row(row, [1, 2], colours=[_SOFT, _INK])
        elif isinstance(block, Table):
            self.write_table(block)
        else:
            for row in block.rows[:-1]:
                self.write_row(row, [2, 1], amount_columns={1})
            for row in block.rows[-1:]:
                self.draw_rule()
                self.write_row(row, [2, 1], amount_columns={1}, size=self.text_size * 1.25)

    def write_table(self, table: Table) -> None:
        head = Table(table.head, (), table.widths, table.amount_columns)
        self.write_table_head(head)
        for row in table.rows:
            self.write_row(row, table.widths, amount_columns=table.amount_columns, head=head)
        self.draw_rule()

    def write_table_head(self, table: Table) -> None:
        self.write_row(table.head, table.widths, amount_columns=table.amount_columns, colours=[_SOFT] * len(table.head))
        self.draw_rule()

    def write_heading(self, title: str) -> None:
        # Keep a heading on the same page as the text after it.
        self.ensure_room(self.text_size * 2)
        self.write_lines(title, self.text_size * 1.2)

    def write_row(
        self,
        cells: Sequence[str],
        widths: Sequence[float],
        *,
        amount_columns: Collection[int] = (),
        colours: Sequence[tuple[int, int, int]] = (),
        size: float = 0,
        head: Table | None = None,
    ) -> None:
        """Write one row line by line, so that a cell longer than a page continues on the next."""
        size = size or self.text_size
        self.set_font(_FONT_NAME, size=size)
        gap, total_width = 2 * self.c_margin, self.epw
        column_widths = [total_width * width / sum(widths) for width in widths]
        lines = [
            list(wrap_text(self.printable(cell), room - gap, self.text_width))
            for cell, room in zip(cells, column_widths, strict=True)
        ]
        for number in range(max(len(cell) for cell in lines)):
            if self.ensure_room(size * 0.55) and head:
                self.write_table_head(head)
            self.set_font(_FONT_NAME, size=size)
            left = self.l_margin
            for column, (cell, room) in enumerate(zip(lines, column_widths, strict=True)):
                self.set_text_color(*(colours[column] if colours else _INK))
                self.set_x(left)
                if number < len(cell):
                    self.cell(room, size * 0.55, cell[number], align="R" if column in amount_columns else "L")
                left += room
            self.ln(size * 0.55)
        self.ln(self.text_size * 0.1)

    def write_lines(self, text: str, size: float, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font(_FONT_NAME, size=size)
        for line in wrap_text(self.printable(text), self.epw - 2 * self.c_margin, self.text_width):
            self.ensure_room(size * 0.55)
            self.set_font(_FONT_NAME, size=size)
            self.set_text_color(*colour)
            self.cell(0, size * 0.55, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def draw_rule(self) -> None:
        self.set_draw_color(*_LINE)
        self.line(self.l_margin, self.y, self.l_margin + self.epw, self.y)
        self.ln(self.text_size * 0.1)

    def text_width(self, text: str) -> float:
        """The width of the text in the current font size (mm)."""
        return sum(self.face.cw[ord(sign)] for sign in text) * self.font_size / 1000

    def ensure_room(self, height: float) -> bool:
        """Start a new page if this height does not fit on the current one. Returns whether it did."""
        if self.y + height <= self.bottom:
            return False
        self.add_page()
        return True

    def printable(self, text: str) -> str:
        """The text without control characters, and with □ for characters missing in the font."""
        known = self.face.cmap
        return "".join(
            sign if sign == "\n" or ord(sign) in known else _MISSING_GLYPH for sign in _without_control_chars(text)
        )


def _without_control_chars(text: str) -> str:
    """The text without invisible characters, which could reverse or hide other text."""
    plain = text.replace("\r\n", "\n").replace("\t", " ").replace("\xa0", " ")
    return "".join(sign for sign in plain if sign == "\n" or unicodedata.category(sign)[0] != "C")
