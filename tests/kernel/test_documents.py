"""PDF documents: reproducible bytes, embedded Chinese font, and no text beyond the page."""

import re
import zlib
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
from django.utils.translation import override

from kernel import pdf
from kernel.documents import Document, FieldList, FontMissingError, Size, Table, Text, Totals, render_pdf
from kernel.line_breaking import wrap_text

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONG = "共享单车骑行服务，" * 1112
ITEMS = Table(["项目", "金额"], [("骑行", "¥12.00"), ("<b>调度费</b>", "¥3.00")], [3, 1], {1}, "项目")


def build_document(**other: Any) -> Document:
    blocks = [
        FieldList([("商户", "快骑 FastRide")]),
        ITEMS,
        Totals([("已付", "¥5.00"), ("未付", "¥10.00")]),
        Text("说明。"),
    ]
    return Document(
        **{"title": "收据", "subtitle": "ord_1", "created_at": AT, "blocks": blocks, "issuer": "先享后付"} | other
    )


def page_count(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def glyph_count(pdf: bytes) -> int:
    """The number of characters on its pages, each written as two bytes."""
    streams = [zlib.decompress(raw) for raw in re.findall(rb"FlateDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)]
    return sum(len(text) // 2 for stream in streams for text in re.findall(rb"\((.*?)\) Tj", stream, re.DOTALL))


def test_the_same_document_has_the_same_bytes_and_a_subset_of_the_font() -> None:
    first, again, later = (
        render_pdf(build_document()),
        render_pdf(build_document()),
        render_pdf(build_document(created_at=AT + timedelta(seconds=1))),
    )
    assert first == again != later
    assert first.startswith(b"%PDF-")
    assert b"/FontFile2" in first
    assert b"/ToUnicode" in first
    assert len(first) < 40_000


def test_a_long_title_runs_over_several_pages_without_loss() -> None:
    rows = [(LONG, "¥1.00"), ("骑行", "¥2.00")]
    for size in Size:
        pdf = render_pdf(build_document(size=size, title=LONG, blocks=[Table(["项目", "金额"], rows, [3, 1], {1})]))
        assert page_count(pdf) > 3
        assert glyph_count(pdf) > 2 * len(LONG)


def test_a_document_is_in_the_readers_language_and_harmless() -> None:
    facts = FieldList([("\x07", "()\\ ) Tj")])
    empty = [Table([""], [], [1]), Totals([]), Text("")]
    with override("en"):
        english = render_pdf(
            build_document(title="🚲 \u202eevil\x00\u200b", subtitle="", issuer="", blocks=[facts, *empty])
        )
    assert b"/Lang (en)" in english
    assert page_count(english) == 1


def test_a_missing_font_raises_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(pdf, "find_spec", nowhere)
    with pytest.raises(FontMissingError, match=r"requirements/fonts\.txt"):
        render_pdf(build_document())


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("用完再付，到期扣款。", ["用完再", "付，到", "期扣", "款。"]),
        ("（退款）说明", ["（退", "款）说", "明"]),
        ("bike sharing 骑行", ["bike", "sharin", "g 骑行"]),
        ("two\nlines", ["two", "lines"]),
        ("", [""]),
        ("a  ", ["a"]),
    ],
)
def test_lines_break_between_chinese_characters_and_between_words(text: str, broken: list[str]) -> None:
    """Measured as if a Chinese sign were two letters wide, in lines of six letters."""
    assert list(wrap_text(text, 6, lambda line: float(sum(1 if sign.isascii() else 2 for sign in line)))) == broken
