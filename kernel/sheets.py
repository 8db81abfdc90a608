"""Tables as files that a spreadsheet opens: as CSV, or as a workbook (Office Open XML) of one sheet."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from kernel.csvfile import MARK, cell, csv_lines

#: What XML cannot say.
_UNSAYABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CELL_MAX = 32_767
_BEGINS, _ENDS = '<c t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1"'
    f' Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_OFFICE}/spreadsheetml/2006/main"'
    f' xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><sheets><sheet name="1" sheetId="1" r:id="r1"/></sheets>'
    "</workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1"'
    f' Type="{_OFFICE}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
#: What a workbook of one sheet is made of beside the sheet itself, and how that begins and ends.
PARTS = {name: (_HEAD + text).encode() for name, text in _PARTS.items()}
SHEET = "xl/worksheets/sheet1.xml"
SHEET_BEGINS = f'{_HEAD}<worksheet xmlns="{_OFFICE}/spreadsheetml/2006/main"><sheetData>'.encode()
SHEET_ENDS = b"</sheetData></worksheet>"
#: A spreadsheet knows no more lines than these.
SHEET_LINES_MAX = 1_048_576
CSV, XLSX = "text/csv; charset=utf-8", f"{_KIND}.sheet"


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """A table in which a spreadsheet calculates nothing, with the mark by which Excel knows UTF-8."""
    return MARK + "".join(csv_lines([cell(value) for value in row] for row in rows))


def xlsx(rows: Iterable[Sequence[object]]) -> bytes:
    """A workbook in which every cell is text: a spreadsheet reads no formula there, whatever it begins with."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in PARTS.items():
            book.writestr(name, text)
        with book.open(SHEET, "w") as sheet:
            sheet.write(SHEET_BEGINS)
            for row in rows:
                sheet.write(sheet_row(row))
            sheet.write(SHEET_ENDS)
    return out.getvalue()


def sheet_row(row: Sequence[object]) -> bytes:
    """One line of a workbook's sheet."""
    return f"<row>{''.join(map(_text, row))}</row>".encode()


def sheet_block(columns: Sequence[Sequence[str]]) -> bytes:
    """What `sheet_row` writes of these columns' cells: one in which nothing is to be minded is written as it is."""
    begins, ends, between = f"<row>{_BEGINS}", f"{_ENDS}</row>", f"{_ENDS}{_BEGINS}"
    lines = f"{ends}{begins}".join(map(between.join, zip(*map(_minded, columns), strict=True)))
    return f"{begins}{lines}{ends}".encode() if lines else b""


def _minded(column: Sequence[str]) -> Sequence[str]:
    text = "".join(column)
    plain = text.isprintable() and not any(mark in text for mark in "&<>")  # what can be printed, XML can say
    return column if plain and max(map(len, column), default=0) <= _CELL_MAX else list(map(_said, column))


def _text(value: object) -> str:
    return f"{_BEGINS}{_said('' if value is None else str(value))}{_ENDS}"


def _said(text: str) -> str:
    return escape(_UNSAYABLE.sub("\ufffd", text)[:_CELL_MAX])
