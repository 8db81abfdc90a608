"""Exports of long lists: requested with a reason, made step by step by any worker, downloaded by their requester."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from kernel import admin_site, background_files
from kernel.clock import live_now
from kernel.models import AuditLine
from office import tasks
from office.models import Listing, ListingPiece
from office.refusals import FileInProgress
from office.services import list_exports
from orders.models import Order
from tests.conftest import NOON, Shop, make_agreement, make_order, make_person
from tests.console.conftest import page_text, submit_form
from tests.console.test_files import cells
from tests.db_errors import UNIQUE, execute_sql, raises_db_error
from tests.unchanged import assert_unchanged

PAGE = "/ops/orders/order/"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lines are many, and two are a step."""
    monkeypatch.setattr(admin_site, "EXPORT_MAX", 3)
    monkeypatch.setattr(list_exports, "ROWS_A_STEP", 2)


@pytest.fixture
def many(power_bank: Shop) -> list[Order]:
    agreement = make_agreement(power_bank, make_person(power_bank))
    return [make_order(power_bank, agreement, title=title) for title in ("=1+1", "充电宝", "<b>", '"a",b', "5")]


@pytest.fixture
def lin(console_client: Callable[..., Client]) -> Client:
    return console_client("finance")


def asked_for(client: Client, kind: str = "csv", **look: str) -> Listing:
    answer = client.get(PAGE, {"_as": kind, **look})
    assert answer.status_code == 302, answer.content
    assert submit_form(client, answer["Location"], note="对账").status_code == 302
    return Listing.objects.latest("pk")


def fetched(client: Client, row: Listing) -> bytes:
    answer: Any = client.get(f"/ops/files/{row.public_id}")
    assert answer.status_code == 200, answer.content
    body = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(body)
    return body


def test_a_long_list_is_exported_and_downloaded_by_its_requester(many: list[Order], lin: Client) -> None:
    with assert_unchanged("django_session"):
        page = lin.get(PAGE, {"_as": "csv"})
    row = asked_for(lin)
    assert "正在生成" in page_text(lin.get("/ops/files/"))
    assert lin.get("/ops/files/")["Refresh"] == "5"
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 410
    tasks.make_files()
    page = lin.get("/ops/files/")
    assert "Refresh" not in page
    assert row.name in page_text(page)
    lines = list(csv.reader(io.StringIO(fetched(lin, row).decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == [order.public_id for order in reversed(many)]
    acts = list(AuditLine.objects.order_by("id").values_list("act", "why"))
    assert ("exported", "对账") in acts
    assert acts[-1][0] == "fetched"


def test_a_workbook_is_put_together_from_its_pieces(many: list[Order], lin: Client) -> None:
    row = asked_for(lin, "xlsx")
    list_exports.process_exports(at=live_now(), seconds=60)
    found = cells(fetched(lin, row))
    assert [line[0] for line in found[1:]] == [order.public_id for order in reversed(many)]
    assert Listing.objects.get().rows == len(many)


def test_what_is_filtered_out_of_the_list_is_not_in_the_file(many: list[Order], lin: Client) -> None:
    Order.objects.filter(pk=many[0].pk)  # is there, and not asked for
    row = asked_for(lin, state__exact="open", q="")
    list_exports.process_exports(at=live_now(), seconds=60)
    assert fetched(lin, row).decode().count("ord_") == len(many)
    assert lin.get("/ops/files/new", {"table": "orders.order", "as": "csv", "look": "no=1"}).status_code == 404


def test_an_export_contains_no_formulas(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    shown = next(one for model, one in admin.site._registry.items() if model is Order)  # noqa: SLF001
    monkeypatch.setattr(shown, "list_display", ["public_id", "title"])
    row = asked_for(lin)
    list_exports.process_exports(at=live_now(), seconds=60)
    titles = [line[1] for line in csv.reader(io.StringIO(fetched(lin, row).decode("utf-8-sig")))]
    assert titles[1:] == ["5", '"a",b', "<b>", "充电宝", "'=1+1"]


def test_only_the_requester_with_permission_can_download(
    many: list[Order], lin: Client, console_client: Callable[..., Client]
) -> None:
    row = asked_for(lin)
    list_exports.process_exports(at=live_now(), seconds=60)
    for client in (console_client("supervisor"), console_client("viewer")):
        assert client.get(f"/ops/files/{row.public_id}").status_code == 404
    assert lin.get("/ops/files/lst_" + "0" * 32).status_code == 404
    User.objects.get(username="finance").groups.clear()
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 403


def test_an_export_fails_if_the_role_was_lost(many: list[Order], lin: Client) -> None:
    asked_for(lin)
    User.objects.get(username="finance").groups.clear()
    list_exports.process_exports(at=live_now(), seconds=60)
    row = Listing.objects.get()
    assert (row.made_at, row.failed_at is None, ListingPiece.objects.count()) == (None, False, 0)


def test_a_list_that_is_not_theirs_cannot_be_asked_for(db: None, console_client: Callable[..., Client]) -> None:
    viewer = console_client("viewer")
    with assert_unchanged("django_session"):
        for table, status in (("kernel.auditline", 403), ("no.table", 403), ("x" * 3000, 404)):
            asked = {"table": table, "as": "csv", "look": ""}
            assert viewer.get("/ops/files/new", asked).status_code == status, table
        assert viewer.get("/ops/files/new", {"table": "orders.order", "as": "exe"}).status_code == 404


def test_only_one_pending_request_at_a_time(many: list[Order], lin: Client) -> None:
    row = asked_for(lin)
    with assert_unchanged(), pytest.raises(FileInProgress):
        list_exports.request_export(row.user, "orders.order", "", "csv", language="en", at=NOON)
    with raises_db_error(UNIQUE, "one_file_is_made_at_a_time"):
        execute_sql(
            "INSERT INTO office_listing SELECT (jsonb_populate_record(l,"
            " jsonb_build_object('id', gen_random_uuid()))).* FROM office_listing l"
        )


def test_a_worker_that_dies_is_followed_by_another_that_goes_on(
    many: list[Order], lin: Client, monkeypatch: Any
) -> None:
    row, now = asked_for(lin), live_now()
    real, steps = list_exports._write_step, []  # noqa: SLF001

    def dies(*args: Any, **kwargs: Any) -> None:
        steps.append(1)
        if len(steps) == 2:
            raise RuntimeError("killed")
        real(*args, **kwargs)

    monkeypatch.setattr(list_exports, "_write_step", dies)
    list_exports.process_exports(at=now, seconds=60)
    assert Listing.objects.get().rows == 2
    assert list_exports.process_exports(at=now + timedelta(seconds=59), seconds=60) == 0
    list_exports.process_exports(at=now + timedelta(seconds=61), seconds=60)
    lines = fetched(lin, row).decode().splitlines()
    assert len(lines) == len(set(lines)) == 1 + len(many)


def test_a_retry_takes_smaller_steps(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    asked_for(lin)
    now, asked, real = live_now(), [], list_exports._write_step  # noqa: SLF001
    monkeypatch.setattr(list_exports, "ROWS_A_RETRY", 1)

    def counted(listing: Listing, *, source: list_exports.ExportSource, batch_size: int, at: Any) -> None:
        asked.append(batch_size)
        if batch_size > 1:
            raise OperationalError("canceling statement due to statement timeout")
        real(listing, source=source, batch_size=batch_size, at=at)

    monkeypatch.setattr(list_exports, "_write_step", counted)
    for number in range(2):
        list_exports.process_exports(at=now + number * timedelta(minutes=2), seconds=60)
    assert asked == [2] + [1] * (len(many) + 1)
    assert Listing.objects.get().rows == len(many)


def test_repeated_failures_give_the_export_up(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    asked_for(lin)
    now, real = live_now(), list_exports._append  # noqa: SLF001

    def fails(listing: Listing, clear: bytes) -> None:
        real(listing, clear)
        if listing.pieces > 1:
            raise RuntimeError("no")

    monkeypatch.setattr(list_exports, "_append", fails)
    for number in range(background_files.TRIES_MAX + 1):
        list_exports.process_exports(at=now + number * timedelta(minutes=2), seconds=60)
    row = Listing.objects.get()
    assert row.failed_at is not None
    assert ListingPiece.objects.count() == 0
    assert "失败" in page_text(lin.get("/ops/files/"))


def test_a_workbook_is_truncated_at_its_row_limit(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    monkeypatch.setitem(list_exports.LINES_MAX, "xlsx", 3)
    row = asked_for(lin, "xlsx")
    list_exports.process_exports(at=live_now(), seconds=60)
    assert len(cells(fetched(lin, row))) == 1 + 3
    assert "已截断" in page_text(lin.get("/ops/files/"))


@pytest.mark.django_db(transaction=True)
def test_counting_rows_keeps_the_statement_timeout(many: list[Order], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_exports, "COUNT_TIMEOUT_MS", 200)
    count = list_exports._count_rows  # noqa: SLF001  what is looked at

    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    before = limit()
    with transaction.atomic():
        assert count(Order.objects.all()) == len(many)
        assert limit() == before
        assert count(Order.objects.extra(where=["pg_sleep(1) IS NOT NULL"])) is None
        assert (limit(), Order.objects.count()) == (before, len(many))


def test_a_file_is_thrown_away_after_its_time(many: list[Order], lin: Client) -> None:
    row = asked_for(lin)
    list_exports.process_exports(at=live_now(), seconds=60)
    row.refresh_from_db()
    assert row.expires_at is not None
    assert list_exports.delete_expired_exports(at=row.expires_at - timedelta(seconds=1)) == 0
    assert list_exports.delete_expired_exports(at=row.expires_at) == 1
    assert ListingPiece.objects.count() == 0
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 410


def test_the_page_takes_the_same_number_of_queries(many: list[Order], lin: Client) -> None:
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            lin.get("/ops/files/")
        counts.append(len(seen))
        for _again in range(2):
            asked_for(lin)
            list_exports.process_exports(at=live_now(), seconds=60)
    assert counts[0] == counts[1]


def test_a_list_that_is_too_long_to_be_counted_is_not_sorted_by_what_no_index_orders(
    many: list[Order], lin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "?o=" in lin.get(PAGE).content.decode()
    monkeypatch.setattr(admin_site, "COUNT_MAX", len(many))
    assert "?o=" not in lin.get(PAGE).content.decode()
    assert "o=2" in lin.get(PAGE, {"q": many[0].public_id}).content.decode()
    assert lin.get("/ops/kernel/realm/").content.decode().count("?o=") > 0
