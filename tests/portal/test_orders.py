"""Orders are found, exported and acted on, as fast with a hundred thousand as with ten."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from billing.services.attempt_plans import move_next_attempt
from billing.services.deduct import deduct_due
from kernel.csvfile import safe_cell
from kernel.models import Realm
from ledger.accounts import payable
from ledger.queries import balance
from merchants import services as merchants
from merchants.models import Change
from orders import services as orders
from orders.models import Order
from portal import balances, queries
from tests.browsing import form_token, visible_text
from tests.conftest import BY, NOON, make_agreement, make_due_order, make_order, make_person, state_of, yuan
from tests.portal.conftest import Company
from tests.services import services


def found(firm: Company, **search: Any) -> list[str]:
    rows = queries.search_orders(firm.shop.merchant.id, queries.OrderSearch(**search))
    return [row.title for row in rows.order_by("-pk")]


@pytest.fixture
def three(firm: Company) -> list[Order]:
    """A cable of ¥3 three days ago, a bank of ¥5 yesterday, and one in use."""
    shop = firm.shop
    agreement = make_agreement(shop, make_person(shop))
    titles = (("数据线", 3), ("充电宝", 1), ("正在用的", 0))
    return [make_order(shop, agreement, title=name, at=NOON - timedelta(days=days)) for name, days in titles]


def test_orders_are_found_by_whatever_one_knows_of_them(firm: Company, rival: Company, three: list[Order]) -> None:
    cable, bank, _using = three
    make_order(rival.shop, make_agreement(rival.shop, make_person(rival.shop)), title="数据线")
    assert found(firm) == ["正在用的", "充电宝", "数据线"]
    assert found(firm, text=cable.public_id) == found(firm, text=f" {cable.out_order_no} ") == ["数据线"]
    assert found(firm, text="充电") == ["充电宝"]
    assert found(firm, text="%") == []
    assert found(firm, state="open", after=NOON - timedelta(days=2)) == ["正在用的", "充电宝"]
    assert found(firm, before=NOON - timedelta(days=2)) == ["数据线"]
    assert found(firm, service_id=bank.service_id, min_amount=Decimal(99)) == ["正在用的", "充电宝", "数据线"]
    assert found(firm, max_amount=Decimal("98.99")) == []


def test_an_amount_is_looked_for_in_each_orders_own_currency(firm: Company) -> None:
    shop, person = firm.shop, make_person(firm.shop)
    for name, currency, minor in (("日元", "JPY", 5000), ("人民币", "CNY", 99_900), ("第纳尔", "KWD", 5_000)):
        terms = {"name": name, "mode": "fixed", "ceiling_minor": minor, "currency": currency}
        service = merchants.offer_service(shop.merchant.id, terms, by=BY, at=NOON)
        agreement = make_agreement(replace(shop, service=service), person)
        make_order(replace(shop, service=service), agreement, title=name, currency=currency, amount=minor)
    assert found(firm, min_amount=Decimal(1000)) == ["日元"]
    assert found(firm, min_amount=Decimal(5), max_amount=Decimal(999)) == ["第纳尔", "人民币"]
    page = firm.browser("viewer").get(f"{firm.at('test')}orders/", {"least": "1000"})
    assert "日元" in visible_text(page)


def test_the_page_searches_pages_and_says_when_there_is_nothing(firm: Company, three: list[Order]) -> None:
    client, page = firm.browser("viewer"), f"{firm.at('test')}orders/"
    assert "充电宝" in visible_text(client.get(page))
    assert "没有符合条件" in visible_text(client.get(page, {"q": "没有这样的"}))
    assert "暂无订单" in visible_text(client.get(f"{firm.at('live')}orders/"))
    part = client.get(page, {"q": "数据线"}, headers={"hx-request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="list"')
    assert "数据线" in part
    for odd in ({"since": "yesterday"}, {"state": "no such"}, {"least": "-1"}, {"service": "svc_x"}):
        assert client.get(page, odd).status_code == 200
    assert client.get(page, {"cursor": "x"}).status_code == 422
    assert client.get(page, {"q": "x" * 101, "until": "9999-12-31"}).status_code == 200
    assert client.get(page, {"until": "9999-12-31", "since": "0001-01-01"}).status_code == 200


def test_a_page_costs_the_same_however_many_orders_there_are(firm: Company) -> None:
    shop = firm.shop
    agreement = make_agreement(shop, make_person(shop))
    client, page = firm.browser("owner"), f"{firm.at('test')}orders/"

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(page).status_code == 200
        return len(seen)

    make_order(shop, agreement)
    client.get(page)
    few = asked()
    for _ in range(12):
        make_order(shop, agreement)
    assert asked() == few


@pytest.fixture
def many_orders(three: list[Order]) -> Iterator[None]:
    """The planner believes that there are a hundred thousand, of whomever; other tests are forgotten."""
    with services.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("DELETE FROM pg_statistic WHERE starelid = 'orders_order'::regclass")
        cursor.execute("SELECT reltuples, relpages FROM pg_class WHERE relname = 'orders_order'")
        before = cursor.fetchone()
        cursor.execute("UPDATE pg_class SET reltuples = 100000, relpages = 1 WHERE relname = 'orders_order'")
        yield
        cursor.execute("UPDATE pg_class SET reltuples = %s, relpages = %s WHERE relname = 'orders_order'", before)


def in_its_order(rows: QuerySet[Order]) -> str:
    """How the rows are read if there is an index that has them in their order, as the planner would at full size."""
    with connection.cursor() as cursor:
        for dearer in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{dearer} = off")
    return rows.explain()


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ({}, "orders_of_merchant"),
        ({"state": "overdue"}, "orders_of_merchant_by_state"),
        ({"text": "T-1"}, "orders_of_merchant"),
    ],
)
def test_a_list_walks_an_index_in_its_order_and_sorts_nothing(
    search: dict[str, str], index: str, firm: Company, many_orders: None
) -> None:
    rows = queries.search_orders(firm.shop.merchant.id, queries.OrderSearch(**search)).select_related(None)
    plan = in_its_order(rows.order_by("-pk")[:26])
    assert index in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("column", ["created_at", "deducted_at"])
def test_the_days_figures_are_read_off_an_index(column: str, firm: Company, many_orders: None) -> None:
    names = {"created_at": "orders_of_merchant_by_day", "deducted_at": "orders_of_merchant_collected"}
    rows = Order.objects.filter(merchant=firm.shop.merchant, **{f"{column}__gte": NOON}).order_by(column)
    plan = in_its_order(rows)
    assert names[column] in plan
    assert "Sort" not in plan


def rows_of(answer: Any) -> list[list[str]]:
    body = b"".join(answer.streaming_content).decode()
    assert body.startswith("\ufeff")
    return list(csv.reader(io.StringIO(body[1:])))


def test_a_file_of_orders_calculates_nothing_and_reads_chinese(firm: Company) -> None:
    shop = firm.shop
    agreement = make_agreement(shop, make_person(shop))
    for title in ("=cmd|' /C calc'!A0", "+1", "-1", "@x", "充电宝, 大"):
        make_order(shop, agreement, title=title)
    head, *rows = rows_of(firm.browser("finance").get(f"{firm.at('test')}orders/export.csv"))
    assert head[:3] == ["id", "out_order_no", "title"]
    assert [row[2] for row in rows] == ["充电宝, 大", "'@x", "'-1", "'+1", "'=cmd|' /C calc'!A0"]
    assert rows[0][8] == "2026-11-20 12:00:00"
    some = rows_of(firm.browser("owner").get(f"{firm.at('test')}orders/export.csv", {"q": "充电宝"}))
    assert len(some) == 2


@pytest.mark.parametrize("asked", [{"least": "abc"}, {"since": "yesterday"}, {"service": "svc_x"}])
def test_a_search_that_cannot_be_understood_is_no_file_of_everything(
    firm: Company, three: list[Order], asked: dict[str, str]
) -> None:
    answer = firm.browser("owner").get(f"{firm.at('test')}orders/export.csv", asked)
    assert (answer.status_code, answer.streaming) == (422, False)
    assert three[0].title not in visible_text(answer)
    assert answer.context["form"].errors


def test_a_file_is_read_batch_by_batch_and_has_an_end(firm: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = firm.shop
    agreement = make_agreement(shop, make_person(shop))
    for _ in range(5):
        make_order(shop, agreement)
    monkeypatch.setattr(queries, "_BATCH", 2)
    mine = queries.search_orders(shop.merchant.id, queries.OrderSearch())
    assert len(list(queries.iter_for_export(mine))) == len(set(queries.iter_for_export(mine))) == 5
    monkeypatch.setattr(queries, "EXPORT_MAX", 3)
    assert len(list(queries.iter_for_export(mine))) == 3


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"])
def test_a_cell_that_would_calculate_is_text(value: str) -> None:
    assert safe_cell(value) == f"'{value}"
    assert safe_cell("12.50") == "12.50"


def does(firm: Company, role: str, order: Order, verb: str, **fields: str) -> int:
    client, page = firm.browser(role), f"{firm.at('test')}orders/{order.public_id}/{verb}"
    return int(client.post(page, {"token": form_token(client.get(page)), **fields}).status_code)


def test_staff_do_what_the_api_does_and_the_log_says_who_and_why(firm: Company, three: list[Order]) -> None:
    cable, bank, using = three
    Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=NOON)
    assert does(firm, "developer", cable, "complete", total="3", reason="归还") == 302
    assert does(firm, "owner", cable, "lower", total="2.50", reason="线坏了") == 302
    assert does(firm, "owner", bank, "cancel", reason="借错了") == 302
    assert does(firm, "owner", using, "complete", total="120", reason="x") == 422
    assert does(firm, "owner", using, "complete", total="1,2", reason="x") == 422
    assert does(firm, "owner", using, "complete", total="5", reason="归还") == 302
    assert does(firm, "developer", using, "mark-paid", reference="收银台 3") == 302
    assert does(firm, "owner", cable, "collect") == 302
    assert [state_of(order) for order in three] == ["deducted", "cancelled", "deducted"]
    log = Change.objects.filter(verb__startswith="order_").values_list("verb", "by", "data__reason").order_by("id")
    by = {role: f"member:{member.user.public_id}" for role, member in firm.staff.items()}
    assert list(log) == [
        ("order_completed", by["developer"], "归还"),
        ("order_lowered", by["owner"], "线坏了"),
        ("order_cancelled", by["owner"], "借错了"),
        ("order_completed", by["owner"], "归还"),
        ("order_marked_paid", by["developer"], "收银台 3"),
        ("order_collect_asked", by["owner"], None),
    ]
    assert "线坏了" in visible_text(firm.browser("viewer").get(f"{firm.at('test')}changes/"))


def test_a_second_click_does_nothing_more(firm: Company, three: list[Order]) -> None:
    Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=NOON)
    client, page = firm.browser("owner"), f"{firm.at('test')}orders/{three[0].public_id}/complete"
    sent = {"token": form_token(client.get(page)), "total": "3", "reason": "归还"}
    assert [client.post(page, sent).status_code for _ in range(2)] == [302, 302]
    assert Change.objects.filter(verb="order_completed").count() == 1


def test_the_order_page_shows_its_whole_history(firm: Company, owed: Order) -> None:
    page = visible_text(firm.browser("viewer", language="en").get(f"{firm.at('test')}orders/{owed.public_id}"))
    for said in ("CN¥12.34", "To be deducted", "On the due date", "Service ended", "order.completed"):
        assert said in page, said
    assert "Deduct now" not in page


def test_what_is_not_due_cannot_be_collected_now(firm: Company) -> None:
    """Nor what its person has put off: the button is not there, and its page says why."""
    order = make_order(firm.shop, make_agreement(firm.shop, make_person(firm.shop)))
    completion = orders.CompletionRequest(total=600, due_at=NOON + timedelta(days=2))
    orders.complete_order(order.id, completion, by=BY, at=NOON)
    page = f"{firm.at('test')}orders/{order.public_id}"
    for then, due in ((NOON, False), (NOON + timedelta(days=2), True)):
        Realm.objects.filter(pk=firm.shop.realm_id).update(frozen_at=then)
        assert (f'{page}/collect"'.encode() in firm.browser("owner").get(page).content) == due
    move_next_attempt(order.obligations.get().id, NOON + timedelta(days=4), at=NOON)
    page += "/collect"
    answer = firm.browser("owner").post(page, {"token": form_token(firm.browser("owner").get(page))})
    assert (answer.status_code, "用户已将此次扣款改到较晚的日期" in visible_text(answer)) == (422, True)


def test_what_was_paid_at_the_till_is_not_collected(firm: Company) -> None:
    shop = firm.shop
    make_due_order(shop, make_person(shop), yuan("50"))
    deduct_due(shop.realm_id, at=NOON)
    elsewhere = make_due_order(shop, make_person(shop, "no_funds"), yuan("12.34"))
    orders.mark_paid(elsewhere.id, NOON, "收银台 3", by=BY, at=NOON)
    assert state_of(elsewhere) == "deducted"
    today = queries.today_summary(shop.merchant, since=NOON)
    assert (today.collected.count, list(today.collected.sums)) == (1, [yuan("50")])


def test_what_is_shown_of_money_is_what_the_book_says(firm: Company) -> None:
    shop = firm.shop
    make_due_order(shop, make_person(shop), yuan("50"))
    assert balances.balances_of(shop.live) == []
    before = balances.balances_of(shop.merchant)[0]
    assert (before.payable.minor, before.pending.minor, before.fees.minor, before.credited.minor) == (0, 5000, 0, 0)
    deduct_due(shop.realm_id, at=NOON)
    after = balances.balances_of(shop.merchant)[0]
    assert (after.payable.minor, after.pending.minor, after.fees.minor, after.credited.minor) == (4970, 0, 30, 5000)
    assert after.payable == balance(payable(shop.merchant.id), realm_id=shop.realm_id, currency="CNY")
    assert "¥49.70" in visible_text(firm.browser("finance").get(f"{firm.at('test')}settlements/"))


def test_of_an_order_in_use_the_end_is_a_planned_one(firm: Company) -> None:
    shop, ends = firm.shop, NOON + timedelta(days=1)
    order = make_order(shop, make_agreement(shop, make_person(shop)), ends_at=ends)
    page = firm.browser("viewer", language="en")
    path = f"{firm.at('test')}orders/{order.public_id}"
    assert "Planned end Nov 21, 2026 12:00 PM" in visible_text(page.get(path))
    orders.complete_order(order.id, orders.CompletionRequest(total=600), by=BY, at=NOON)
    assert "Ended Nov 20, 2026 12:00 PM" in visible_text(page.get(path))


def test_a_paused_order_has_no_upcoming_attempts(firm: Company) -> None:
    order = make_due_order(firm.shop, make_person(firm.shop), yuan("5"), due_at=NOON + timedelta(days=2))
    page, path = firm.browser("viewer", language="en"), f"{firm.at('test')}orders/{order.public_id}"
    said = visible_text(page.get(path)).partition("Scheduled deductions")[2].partition("Order history")[0]
    assert "Nov 22, 2026" in said
    orders.pause_order(order.id, "problem_reported", by=BY, at=NOON)
    said = visible_text(page.get(path)).partition("Scheduled deductions")[2].partition("Order history")[0]
    assert said.strip() == "No deductions are made while this is paused."
