"""CSV and XLSX downloads of console lists: filtered as shown, with visible columns, and no formulas."""

import io
import zipfile
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from kernel.admin_columns import to_text
from kernel.csvfile import UTF8_BOM, csv_from_columns
from kernel.models import AuditLine
from kernel.spreadsheets import csv_text, sheet_from_columns, sheet_row, xlsx
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan

BAD = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a,b\n"c"', "<script>&", "\x00\x0b", "😀", None, 7]


@pytest.fixture
def desk(console_client: Callable[..., Client]) -> Client:
    return console_client("finance", "auditor")


def cells(book: bytes) -> list[list[str]]:
    """What stands in a workbook."""
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert parts.testzip() is None
        sheet = ET.fromstring(parts.read("xl/worksheets/sheet1.xml"))  # noqa: S314  we made it
    name = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert not list(sheet.iter(f"{name}f"))
    return [[cell.findtext(f"{name}is/{name}t") or "" for cell in row] for row in sheet.iter(f"{name}row")]


def test_nothing_in_a_file_is_calculated() -> None:
    assert cells(xlsx([BAD]))[0][0] == "=1+1"
    assert cells(xlsx([BAD]))[0][8] == "\ufffd\ufffd"
    line = csv_text([BAD])
    assert line.startswith("\ufeff'=1+1,'+1,'-1,'@SUM(A1)")


@pytest.mark.parametrize("width", [1, 2, 5])
def test_columns_are_written_as_their_lines_are(width: int) -> None:
    told = [to_text(value) for value in [*BAD, "", "a,b", 'a"b', "2026-11-20", "¥1,234.00", "x" * 40_000]]
    for column in ([value] * 3 for value in told):
        columns = [column, *[["a", "", "b-c"]] * (width - 1)]
        lines = list(zip(*columns, strict=True))
        assert UTF8_BOM + csv_from_columns(columns) == csv_text(lines)
        assert sheet_from_columns(columns) == b"".join(map(sheet_row, lines))
    assert (csv_from_columns([[]] * width), sheet_from_columns([[]] * width)) == ("", b"")


def test_a_list_as_it_is_filtered_is_a_file(power_bank: Shop, desk: Client) -> None:
    order = make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    other = make_due_order(power_bank, make_person(power_bank), yuan("1"))
    page = "/ops/orders/order/"
    assert "_as=xlsx" in desk.get(page).content.decode()
    text = desk.get(page, {"q": order.out_order_no, "_as": "csv"}).content.decode()
    assert order.public_id in text
    assert "¥12.34" in text
    assert other.public_id not in text
    assert "(Asia/Shanghai)" in text.partition("\n")[0]
    assert "2026-11-20 12:00:00" in text
    found = cells(desk.get(page, {"state__exact": "completed", "_as": "xlsx"}).content)
    assert {row[0] for row in found[1:]} == {order.public_id, other.public_id}
    assert AuditLine.objects.filter(act="exported").count() == 2


def test_what_is_masked_in_a_list_is_masked_in_its_file(power_bank: Shop, desk: Client) -> None:
    person = accounts.register_person("+8613812341234", realm_id=power_bank.realm_id, by=BY, at=NOON)
    accounts.verify_identity(person.id, "欧阳修远", "11010519491231002X", by=BY, at=NOON)
    text = desk.get("/ops/accounts/person/", {"_as": "csv"}).content.decode()
    assert "138****1234" in text
    assert "13812341234" not in text
    assert "修远" not in text


def test_every_list_is_a_file_for_those_who_may_look(
    power_bank: Shop, desk: Client, console_client: Callable[..., Client]
) -> None:
    make_due_order(power_bank, make_person(power_bank), yuan("1"))
    for model in admin.site._registry:  # noqa: SLF001  there is no public way to list it
        page = f"/ops/{model._meta.app_label}/{model._meta.model_name}/"
        assert desk.get(page, {"_as": "csv"})["Content-Type"].startswith("text/csv"), page
    assert console_client("viewer").get("/ops/kernel/auditline/", {"_as": "csv"}).status_code == 403
    assert Client().get("/ops/orders/order/", {"_as": "csv"})["Location"].startswith("/ops/login/")


def test_a_longer_file_asks_no_more(power_bank: Shop, desk: Client) -> None:
    def asked() -> Any:
        with CaptureQueriesContext(connection) as queries:
            desk.get("/ops/orders/order/", {"_as": "csv"})
        return len(queries)

    few = asked()
    for _ in range(2):
        make_due_order(power_bank, make_person(power_bank), yuan("1"))
    assert asked() == few


@pytest.mark.parametrize("look", ["x=%00", "x=1", "created_at__gte=x", "state__exact=%00", "realm__mode=%00"])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_filter_that_no_list_has_makes_no_file(look: str, kind: str, desk: Client) -> None:
    answer = desk.get(f"/ops/orders/order/?_as={kind}&{look}")
    assert (answer.status_code, answer["Location"]) == (302, "/ops/orders/order/?e=1")
    assert not AuditLine.objects.filter(act="exported").exists()


def test_a_search_that_no_list_can_read_makes_no_file(desk: Client) -> None:
    assert desk.get("/ops/accounts/person/?_as=csv&q=a%00b").status_code == 302
