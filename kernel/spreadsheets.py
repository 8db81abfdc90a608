"""Writes tables as spreadsheet files: CSV, or an XLSX workbook (Office Open XML) with one sheet."""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from kernel.csvfile import UTF8_BOM, csv_lines, safe_cell

#: Characters that XML does not allow.
_INVALID_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CELL_MAX = 32_767
_BEGINS, _ENDS = '<c t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
_XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NS = "http://schemas.openxmlformats.org"
_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_NS}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_MEDIA_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_MEDIA_TYPE}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1"'
    f' Type="{_NS}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_NS}/spreadsheetml/2006/main"'
    f' xmlns:r="{_NS}/officeDocument/2006/relationships"><sheets><sheet name="1" sheetId="1" r:id="r1"/></sheets>'
    "</workbook>",
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1"'
    f' Type="{_NS}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
#: The files of a workbook besides its one sheet, and the sheet's start and end.
WORKBOOK_PARTS = {name: (_XML_DECLARATION + text).encode() for name, text in _PARTS.items()}
SHEET_PATH = "xl/worksheets/sheet1.xml"
SHEET_START = f'{_XML_DECLARATION}<worksheet xmlns="{_NS}/spreadsheetml/2006/main"><sheetData>'.encode()
SHEET_END = b"</sheetData></worksheet>"
#: The most rows a sheet can have.
SHEET_ROWS_MAX = 1_048_576
CSV, XLSX = "text/csv; charset=utf-8", f"{_MEDIA_TYPE}.sheet"


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows as CSV without formulas, with the byte order mark that Excel needs for UTF-8."""
    return UTF8_BOM + "".join(csv_lines([safe_cell(value) for value in row] for row in rows))


def xlsx(rows: Iterable[Sequence[object]]) -> bytes:
    """The rows as a workbook. Every cell is text, so nothing is taken for a formula."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in WORKBOOK_PARTS.items():
            book.writestr(name, text)
        with book.open(SHEET_PATH, "w") as sheet:
            sheet.write(SHEET_START)
            for row in rows:
                sheet.write(sheet_row(row))
            sheet.write(SHEET_END)
    return out.getvalue()


def sheet_row(row: Sequence[object]) -> bytes:
    """One row of the sheet as XML."""
    return f"<row>{''.join(map(_cell_xml, row))}</row>".encode()


def sheet_from_columns(columns: Sequence[Sequence[str]]) -> bytes:
    """The same XML as `sheet_row` for these columns; columns that need no escaping are written unchanged."""
    begins, ends, between = f"<row>{_BEGINS}", f"{_ENDS}</row>", f"{_ENDS}{_BEGINS}"
    lines = f"{ends}{begins}".join(map(between.join, zip(*map(_escape_column, columns), strict=True)))
    return f"{begins}{lines}{ends}".encode() if lines else b""


def _escape_column(column: Sequence[str]) -> Sequence[str]:
    text = "".join(column)
    is_plain = text.isprintable() and not any(mark in text for mark in "&<>")  # printable characters are valid in XML
    return column if is_plain and max(map(len, column), default=0) <= _CELL_MAX else list(map(_escape_text, column))


def _cell_xml(value: object) -> str:
    return f"{_BEGINS}{_escape_text('' if value is None else str(value))}{_ENDS}"


def _escape_text(text: str) -> str:
    return escape(_INVALID_XML.sub("\ufffd", text)[:_CELL_MAX])
