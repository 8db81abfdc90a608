"""Parsing of statement files in any layout; damaged lines are kept and do not stop the rest."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.channels.statement_layouts import DEFAULT_LAYOUT, StatementLayout, UnreadableError
from billing.channels.statements import LINE_BYTES_MAX, Damaged, Entry, StatementReader
from tests.billing.statements import HEADER

GOOD = "n1,t1,debit,100,CNY,success,2026-11-20T12:00:00+08:00"
CHINESE = """
number = "商户订单号"
txn = "交易号"
amount = "金额（元）"
at = "时间"
status = "状态"
encoding = "gb18030"
minus = "refund"
time_format = "%Y/%m/%d %H:%M:%S"
comment = "#"
trailer = "合计"
count_cell = 1
debits_cell = 2
refunds_cell = 3
[statuses]
"成功" = "success"
"失败" = "failed"
"处理中" = "pending"
"""


def read(text: str | bytes, layout: StatementLayout = DEFAULT_LAYOUT) -> tuple[list[Entry | Damaged], str]:
    raw = text if isinstance(text, bytes) else text.encode(layout.encoding)
    statement = StatementReader(io.BytesIO(raw), layout)
    return list(statement.lines()), statement.trouble


def test_a_chinese_file_in_gb18030_is_read_by_its_layout() -> None:
    text = (
        "# 账务明细\r\n商户订单号,交易号,金额（元）,时间,状态,备注\r\n"
        'a1,T1,"1,234.50",2026/11/20 23:59:59,成功,"充电宝，""来电"""\r\n'
        "a2\t,T2,-3.2,2026/11/20 08:00:00,成功,退款😀\r\n"
        "a3,,5,2026/11/20 08:00:00,处理中,\r\n"
        "合计,3,1234.50,3.20\r\n"
    )
    lines, trouble = read(text, StatementLayout.from_toml(CHINESE))
    assert trouble == ""
    assert [line[1:7] for line in lines] == [
        ("a1", "T1", "debit", 123450, "CNY", "success"),
        ("a2", "T2", "refund", 320, "CNY", "success"),
        ("a3", "", "debit", 500, "CNY", "pending"),
    ]
    assert isinstance(lines[0], Entry)
    assert lines[0].at.astimezone(UTC) == datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"n1,t1,debit", "columns"),
        (b"n1,t1,debit,1.5,CNY,success,2026-11-20", "amount"),
        (b"n1,t1,debit,-1,CNY,success,2026-11-20", "amount"),
        (b"n1,t1,debit,0,CNY,success,2026-11-20", "amount"),
        ("n1,t1,debit,１２,CNY,success,2026-11-20".encode(), "amount"),
        (b"n1,t1,debit,1e5,CNY,success,2026-11-20", "amount"),
        (b"n1,t1,debit,9999999999999999999999,CNY,success,2026-11-20", "amount"),
        (b"n1,t1,payout,1,CNY,success,2026-11-20", "kind"),
        (b"n1,t1,debit,1,cny,success,2026-11-20", "currency"),
        (b"n1,t1,debit,1,CNY,perhaps,2026-11-20", "status"),
        (b"n1,t1,debit,1,CNY,success,yesterday", "time"),
        (b"n1,t1,debit,1,CNY,success,0001-01-01", "time"),
        (b"n1,,debit,1,CNY,success,2026-11-20", "name"),
        (b"n1," + b"t" * 65 + b",debit,1,CNY,success,2026-11-20", "name"),
        (b"n1,\xff\xfe,debit,1,CNY,success,2026-11-20", "encoding"),
        (b"n1,t\0,debit,1,CNY,success,2026-11-20", "nul"),
        (b'n1,"t1,debit,1,CNY,success,2026-11-20', "quotes"),
        (b"x" * (3 * LINE_BYTES_MAX), "too_long"),
    ],
)
def test_a_damaged_line_is_returned_and_the_next_one_read(line: bytes, why: str) -> None:
    lines, trouble = read(b"\r\n".join([HEADER.encode(), line, GOOD.encode(), b"END,2,100,0", b""]))
    damaged, good = lines
    assert isinstance(damaged, Damaged)
    assert (damaged.place, damaged.why, good[0], trouble) == (2, why, 3, "")
    assert "\0" not in damaged.raw
    assert len(damaged.raw) <= 1000


@pytest.mark.parametrize(
    ("end", "trouble"),
    [
        ("", "missing"),
        ("END,2,100,0", "says 2 lines"),
        ("END,1,99,0", "says 99 taken"),
        ("END,1,100,1", "says 1 given back"),
        ("END,x,100,0", "cannot be read"),
        ("END", "cannot be read"),
        (f"END,1,100,0\n{GOOD}", "after the trailer"),
    ],
)
def test_a_trailer_that_contradicts_the_lines_is_reported(end: str, trouble: str) -> None:
    lines, told = read(f"\ufeff{HEADER}\n{GOOD}\n\n# remark\n{end}\n")
    assert lines[0][1] == "n1"
    assert trouble in told


@pytest.mark.parametrize(
    ("amounts", "end", "trouble"),
    [
        (("1234,JPY", "6,JPY"), "END,2,1240", ""),
        (("1.234,KWD", "2,KWD"), "END,2,3.234", ""),
        (("1.50,CNY", "2,CNY"), "END,2,3.5", ""),
        (("1234,JPY", "6,JPY"), "END,2,1234", "says 1234 taken"),
        (("1234,JPY", "1.50,CNY"), "END,2,1235.50", ""),
        (("1234,JPY", "1.50,CNY"), "END,3,0", "says 3 lines"),
    ],
)
def test_trailer_sums_are_in_the_currency_of_the_lines(amounts: tuple[str, str], end: str, trouble: str) -> None:
    columns = {"number": "n", "txn": "t", "amount": "a", "currency": "c", "at": "at", "trailer": "END"}
    cells = "count_cell = 1\ndebits_cell = 2"
    layout = StatementLayout.from_toml(
        "\n".join([*(f'{name} = "{column}"' for name, column in columns.items()), cells])
    )
    lines = [f"n{place},t{place},{amount},2026-11-20" for place, amount in enumerate(amounts)]
    told = read("\r\n".join(["n,t,a,c,at", *lines, end, ""]), layout)[1]
    assert trouble in told if trouble else not told


@pytest.mark.parametrize("text", ["", "\n\n", "a,b,c\n1,2,3\n", "\x89PNG\r\n", HEADER.replace("status", "zustand")])
def test_a_file_that_is_not_a_statement_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        read(text)


@pytest.mark.parametrize(
    "more",
    ['encoding = "klingon"', 'zone = "Moon/Base"', 'minus = "plus"', "colour = 1", '[kinds]\nx = "loan"', "= ="],
)
def test_an_invalid_layout_is_refused(more: str) -> None:
    base: dict[str, Any] = {"number": "a", "txn": "b", "amount": "c", "at": "d"}
    text = "\n".join(f'{name} = "{column}"' for name, column in base.items())
    assert StatementLayout.from_toml(text).zone == "Asia/Shanghai"
    with pytest.raises(UnreadableError):
        StatementLayout.from_toml(f"{text}\n{more}")
