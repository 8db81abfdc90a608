"""Papers: the same bytes for the same facts, Chinese with its font, and nothing that runs off the page."""

import re
import zlib
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
from django.utils.translation import override

from kernel import pdf
from kernel.line_breaking import lines_of
from kernel.paper import Facts, FontMissingError, Paper, Size, Table, Text, Totals, pdf_of

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
LONG = "共享单车骑行服务，" * 1112
ITEMS = Table(["项目", "金额"], [("骑行", "¥12.00"), ("<b>调度费</b>", "¥3.00")], [3, 1], {1}, "项目")


def made(**other: Any) -> Paper:
    blocks = [
        Facts([("商户", "快骑 FastRide")]),
        ITEMS,
        Totals([("已付", "¥5.00"), ("未付", "¥10.00")]),
        Text("说明。"),
    ]
    return Paper(**{"title": "收据", "about": "ord_1", "at": AT, "blocks": blocks, "name": "先享后付"} | other)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def glyphs(pdf: bytes) -> int:
    """How many signs stand on its pages, each written as two bytes."""
    streams = [zlib.decompress(raw) for raw in re.findall(rb"FlateDecode.*?stream\n(.*?)\nendstream", pdf, re.DOTALL)]
    return sum(len(text) // 2 for stream in streams for text in re.findall(rb"\((.*?)\) Tj", stream, re.DOTALL))


def test_the_same_paper_is_the_same_bytes_and_carries_only_the_signs_it_needs_of_its_font() -> None:
    first, again, later = pdf_of(made()), pdf_of(made()), pdf_of(made(at=AT + timedelta(seconds=1)))
    assert first == again != later
    assert first.startswith(b"%PDF-")
    assert b"/FontFile2" in first
    assert b"/ToUnicode" in first
    assert len(first) < 40_000


def test_a_title_of_ten_thousand_signs_runs_over_several_pages_and_loses_none() -> None:
    rows = [(LONG, "¥1.00"), ("骑行", "¥2.00")]
    for size in Size:
        pdf = pdf_of(made(size=size, title=LONG, blocks=[Table(["项目", "金额"], rows, [3, 1], {1})]))
        assert pages(pdf) > 3
        assert glyphs(pdf) > 2 * len(LONG)


def test_a_paper_is_in_the_language_of_its_reader_and_harmless_whatever_stands_on_it() -> None:
    facts = Facts([("\x07", "()\\ ) Tj")])
    empty = [Table([""], [], [1]), Totals([]), Text("")]
    with override("en"):
        english = pdf_of(made(title="🚲 \u202eevil\x00\u200b", about="", name="", blocks=[facts, *empty]))
    assert b"/Lang (en)" in english
    assert pages(english) == 1


def test_a_missing_font_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(pdf, "find_spec", nowhere)
    with pytest.raises(FontMissingError, match=r"requirements/fonts\.txt"):
        pdf_of(made())


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
def test_lines_break_between_chinese_signs_and_between_words(text: str, broken: list[str]) -> None:
    """Measured as if a Chinese sign were two letters wide, in lines of six letters."""
    assert list(lines_of(text, 6, lambda line: float(sum(1 if sign.isascii() else 2 for sign in line)))) == broken
