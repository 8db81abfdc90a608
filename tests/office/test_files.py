"""Long lists as files: asked for with a reason, made step by step by any number of workers, fetched by one."""

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
from office.refusals import FileWaits
from office.services import files
from orders.models import Order
from tests.conftest import NOON, Shop, opened, ordered, someone
from tests.console.conftest import does, words_of
from tests.console.test_files import cells
from tests.guards import UNIQUE, refused_by, run
from tests.stillness import nothing_moves

PAGE = "/ops/orders/order/"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lines are many, and two are a step."""
    monkeypatch.setattr(admin_site, "EXPORT_MAX", 3)
    monkeypatch.setattr(files, "ROWS_A_STEP", 2)


@pytest.fixture
def many(power_bank: Shop) -> list[Order]:
    agreement = opened(power_bank, someone(power_bank))
    return [ordered(power_bank, agreement, title=title) for title in ("=1+1", "充电宝", "<b>", '"a",b', "5")]


@pytest.fixture
def lin(at_desk: Callable[..., Client]) -> Client:
    return at_desk("finance")


def asked_for(client: Client, kind: str = "csv", **look: str) -> Listing:
    answer = client.get(PAGE, {"_as": kind, **look})
    assert answer.status_code == 302, answer.content
    assert does(client, answer["Location"], note="对账").status_code == 302
    return Listing.objects.latest("pk")


def fetched(client: Client, row: Listing) -> bytes:
    answer: Any = client.get(f"/ops/files/{row.public_id}")
    assert answer.status_code == 200, answer.content
    body = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(body)
    return body


def test_a_long_list_is_made_behind_and_fetched_by_whoever_asked(many: list[Order], lin: Client) -> None:
    with nothing_moves("django_session"):
        page = lin.get(PAGE, {"_as": "csv"})
    row = asked_for(lin)
    assert "正在生成" in words_of(lin.get("/ops/files/"))
    assert lin.get("/ops/files/")["Refresh"] == "5"
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 410
    tasks.make_files()
    page = lin.get("/ops/files/")
    assert "Refresh" not in page
    assert row.name in words_of(page)
    lines = list(csv.reader(io.StringIO(fetched(lin, row).decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == [order.public_id for order in reversed(many)]
    acts = list(AuditLine.objects.order_by("id").values_list("act", "why"))
    assert ("exported", "对账") in acts
    assert acts[-1][0] == "fetched"


def test_a_workbook_is_put_together_from_its_pieces(many: list[Order], lin: Client) -> None:
    row = asked_for(lin, "xlsx")
    files.make_files(at=live_now(), seconds=60)
    found = cells(fetched(lin, row))
    assert [line[0] for line in found[1:]] == [order.public_id for order in reversed(many)]
    assert Listing.objects.get().rows == len(many)


def test_what_is_filtered_out_of_the_list_is_not_in_the_file(many: list[Order], lin: Client) -> None:
    Order.objects.filter(pk=many[0].pk)  # is there, and not asked for
    row = asked_for(lin, state__exact="open", q="")
    files.make_files(at=live_now(), seconds=60)
    assert fetched(lin, row).decode().count("ord_") == len(many)
    assert lin.get("/ops/files/new", {"table": "orders.order", "as": "csv", "look": "no=1"}).status_code == 404


def test_nothing_a_spreadsheet_would_calculate_stands_in_it(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    shown = next(one for model, one in admin.site._registry.items() if model is Order)  # noqa: SLF001
    monkeypatch.setattr(shown, "list_display", ["public_id", "title"])
    row = asked_for(lin)
    files.make_files(at=live_now(), seconds=60)
    titles = [line[1] for line in csv.reader(io.StringIO(fetched(lin, row).decode("utf-8-sig")))]
    assert titles[1:] == ["5", '"a",b', "<b>", "充电宝", "'=1+1"]


def test_nobody_else_fetches_it_and_nobody_who_may_not_look_any_more(
    many: list[Order], lin: Client, at_desk: Callable[..., Client]
) -> None:
    row = asked_for(lin)
    files.make_files(at=live_now(), seconds=60)
    for client in (at_desk("supervisor"), at_desk("viewer")):
        assert client.get(f"/ops/files/{row.public_id}").status_code == 404
    assert lin.get("/ops/files/lst_" + "0" * 32).status_code == 404
    User.objects.get(username="finance").groups.clear()
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 403


def test_whose_role_is_gone_when_it_is_made_gets_nothing(many: list[Order], lin: Client) -> None:
    asked_for(lin)
    User.objects.get(username="finance").groups.clear()
    files.make_files(at=live_now(), seconds=60)
    row = Listing.objects.get()
    assert (row.made_at, row.failed_at is None, ListingPiece.objects.count()) == (None, False, 0)


def test_a_list_that_is_not_theirs_cannot_be_asked_for(db: None, at_desk: Callable[..., Client]) -> None:
    viewer = at_desk("viewer")
    with nothing_moves("django_session"):
        for table, status in (("kernel.auditline", 403), ("no.table", 403), ("x" * 3000, 404)):
            asked = {"table": table, "as": "csv", "look": ""}
            assert viewer.get("/ops/files/new", asked).status_code == status, table
        assert viewer.get("/ops/files/new", {"table": "orders.order", "as": "exe"}).status_code == 404


def test_one_at_a_time(many: list[Order], lin: Client) -> None:
    row = asked_for(lin)
    with nothing_moves(), pytest.raises(FileWaits):
        files.ask_file(row.user, "orders.order", "", "csv", language="en", at=NOON)
    with refused_by(UNIQUE, "one_file_is_made_at_a_time"):
        run(
            "INSERT INTO office_listing SELECT (jsonb_populate_record(l,"
            " jsonb_build_object('id', gen_random_uuid()))).* FROM office_listing l"
        )


def test_a_worker_that_dies_is_followed_by_another_that_goes_on(
    many: list[Order], lin: Client, monkeypatch: Any
) -> None:
    row, now = asked_for(lin), live_now()
    real, steps = files._step, []  # noqa: SLF001

    def dies(*args: Any, **kwargs: Any) -> None:
        steps.append(1)
        if len(steps) == 2:
            raise RuntimeError("killed")
        real(*args, **kwargs)

    monkeypatch.setattr(files, "_step", dies)
    files.make_files(at=now, seconds=60)
    assert Listing.objects.get().rows == 2
    assert files.make_files(at=now + timedelta(seconds=59), seconds=60) == 0
    files.make_files(at=now + timedelta(seconds=61), seconds=60)
    lines = fetched(lin, row).decode().splitlines()
    assert len(lines) == len(set(lines)) == 1 + len(many)


def test_what_was_broken_off_goes_on_in_smaller_steps(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    asked_for(lin)
    now, asked, real = live_now(), [], files._step  # noqa: SLF001
    monkeypatch.setattr(files, "ROWS_AGAIN", 1)

    def counted(listing: Listing, *, source: files.Source, at_once: int, at: Any) -> None:
        asked.append(at_once)
        if at_once > 1:
            raise OperationalError("canceling statement due to statement timeout")
        real(listing, source=source, at_once=at_once, at=at)

    monkeypatch.setattr(files, "_step", counted)
    for number in range(2):
        files.make_files(at=now + number * timedelta(minutes=2), seconds=60)
    assert asked == [2] + [1] * (len(many) + 1)
    assert Listing.objects.get().rows == len(many)


def test_what_fails_again_and_again_is_given_up_and_emptied(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    asked_for(lin)
    now, real = live_now(), files._add  # noqa: SLF001

    def fails(listing: Listing, clear: bytes) -> None:
        real(listing, clear)
        if listing.pieces > 1:
            raise RuntimeError("no")

    monkeypatch.setattr(files, "_add", fails)
    for number in range(background_files.TRIES_MAX + 1):
        files.make_files(at=now + number * timedelta(minutes=2), seconds=60)
    row = Listing.objects.get()
    assert row.failed_at is not None
    assert ListingPiece.objects.count() == 0
    assert "失败" in words_of(lin.get("/ops/files/"))


def test_what_no_workbook_can_hold_is_cut_off_and_says_so(many: list[Order], lin: Client, monkeypatch: Any) -> None:
    monkeypatch.setitem(files.LINES_MAX, "xlsx", 3)
    row = asked_for(lin, "xlsx")
    files.make_files(at=live_now(), seconds=60)
    assert len(cells(fetched(lin, row))) == 1 + 3
    assert "已截断" in words_of(lin.get("/ops/files/"))


@pytest.mark.django_db(transaction=True)
def test_what_is_counted_leaves_the_rest_of_the_step_its_time(
    many: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "COUNTS_FOR_MS", 200)
    count = files._count  # noqa: SLF001  what is looked at

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
    files.make_files(at=live_now(), seconds=60)
    row.refresh_from_db()
    assert row.expires_at is not None
    assert files.empty_files(at=row.expires_at - timedelta(seconds=1)) == 0
    assert files.empty_files(at=row.expires_at) == 1
    assert ListingPiece.objects.count() == 0
    assert lin.get(f"/ops/files/{row.public_id}").status_code == 410


def test_the_page_asks_the_same_however_many_there_are(many: list[Order], lin: Client) -> None:
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            lin.get("/ops/files/")
        counts.append(len(seen))
        for _again in range(2):
            asked_for(lin)
            files.make_files(at=live_now(), seconds=60)
    assert counts[0] == counts[1]


def test_a_list_that_is_too_long_to_be_counted_is_not_sorted_by_what_no_index_orders(
    many: list[Order], lin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "?o=" in lin.get(PAGE).content.decode()
    monkeypatch.setattr(admin_site, "COUNT_MAX", len(many))
    assert "?o=" not in lin.get(PAGE).content.decode()
    assert "o=2" in lin.get(PAGE, {"q": many[0].public_id}).content.decode()
    assert lin.get("/ops/kernel/realm/").content.decode().count("?o=") > 0
