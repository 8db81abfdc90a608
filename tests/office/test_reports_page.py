"""The reports page: figures from tallies only, by merchant, service and day, as tables, charts and files."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.services.deduct import deduct_due
from kernel.clock import live_now
from kernel.ids import uuid7
from kernel.models import LIVE
from merchants.models import Merchant, Service
from office.models import Tally
from office.queries.reports import ReportFilter
from office.report_links import source_url
from office.report_tables import Cell
from office.services import tally
from tests.conftest import NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.console.conftest import page_text
from tests.office.test_tally import counted, late

PAGE = "/ops/figures/"
DAYS = {"since": "2026-11-18", "until": "2026-11-30", "mode": "test"}


@pytest.fixture
def finance(console_client: Callable[..., Client]) -> Client:
    return console_client("finance")


@pytest.fixture
def busy(power_bank: Shop) -> Shop:
    make_due_order(power_bank, make_person(power_bank), yuan("12.34"))
    deduct_due(power_bank.realm_id, at=NOON)
    late(power_bank)
    counted()
    tally.take_stock(real=live_now())
    return power_bank


def links(page: Any) -> list[str]:
    return [one.replace("&amp;", "&") for one in re.findall(r'href="(/ops/figures/rows[^"]+)"', page.content.decode())]


def test_the_figures_are_those_that_were_counted(busy: Shop, finance: Client) -> None:
    page = finance.get(PAGE, DAYS)
    assert page.status_code == 200
    text = page_text(page)
    assert "2026-11-20 2 ¥198.00 2 ¥42.34 1 ¥12.34 – –" in text
    assert "¥12.34" in text
    assert "余额不足" in text
    assert b"<rect" in page.content
    assert b"style=" not in page.content.partition(b"<main")[2]


def test_live_is_what_is_shown_unless_asked_otherwise_as_soon_as_anything_was_live(busy: Shop, finance: Client) -> None:
    days = {"since": "2026-11-18", "until": "2026-11-30"}
    assert "¥12.34" in page_text(finance.get(PAGE, days))
    assert "¥12.34" not in page_text(finance.get(PAGE, days | {"mode": "live"}))
    Tally.objects.create(realm_id=LIVE, day_on="2026-11-19", metric="order", key="open", number=0, amount_minor=0)
    assert "¥12.34" not in page_text(finance.get(PAGE, days))


def test_every_number_leads_to_its_rows(busy: Shop, finance: Client) -> None:
    found = links(finance.get(PAGE, DAYS))
    assert len(found) >= 15
    for address in dict.fromkeys(found):
        page = finance.get(address)
        assert page.status_code == 200, address
        assert "_0" in page.content.decode(), address


def test_a_table_comes_as_a_file(busy: Shop, finance: Client) -> None:
    answer = finance.get(f"{PAGE}orders.csv", DAYS)
    assert answer["Content-Type"].startswith("text/csv")
    assert "2026-11-20,2,¥198.00,2,¥42.34,1,¥12.34" in answer.content.decode()
    assert finance.get(f"{PAGE}nosuch.csv", DAYS).status_code == 404


def test_a_merchant_is_found_by_its_id_or_its_name(busy: Shop, shop: Shop, finance: Client) -> None:
    for wanted in (busy.merchant.public_id, "来电"):
        assert "¥42.34" in page_text(finance.get(PAGE, {**DAYS, "merchant": wanted}))
    assert "¥42.34" not in page_text(finance.get(PAGE, {**DAYS, "merchant": shop.merchant.public_id}))
    service = {**DAYS, "merchant": busy.merchant.public_id, "service": busy.service.public_id}
    assert "¥42.34" in page_text(finance.get(PAGE, service))


@pytest.mark.parametrize(
    "wrong",
    [
        {"merchant": "nobody"},
        {"merchant": "x" * 10_000},
        {"merchant": "\x00"},
        {"since": "2026-12-01", "until": "2026-11-01"},
        {"since": "2020-01-01"},
        {"since": "yesterday"},
        {"service": "svc_1"},
        {"currency": "yuan"},
        {"mode": "both"},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_said(wrong: dict[str, str], finance: Client) -> None:
    assert finance.get(PAGE, {**DAYS, **wrong}).status_code == 422


def test_two_merchants_of_one_name_are_told_apart(db: None, finance: Client) -> None:
    twins = [make_shop("双生") for _ in range(2)]
    page = finance.get(PAGE, {**DAYS, "merchant": "双生"})
    assert page.status_code == 422
    assert all(one.merchant.public_id in page.content.decode() for one in twins)


def test_the_page_asks_the_same_however_much_happened(busy: Shop, finance: Client) -> None:
    def asked() -> tuple[int, list[str]]:
        with CaptureQueriesContext(connection) as queries:
            assert finance.get(PAGE, DAYS).status_code == 200
        return len(queries), [query["sql"] for query in queries]

    few, sql = asked()
    assert not [one for one in sql if "orders_order" in one or "billing_" in one or "ledger_" in one]
    for _ in range(3):
        late(make_shop(f"店{Merchant.objects.count()}"), at=NOON + timedelta(days=1))
    counted()
    assert asked()[0] == few
    assert few <= 12


@pytest.mark.parametrize("wrong", ["metric=stock&key=x", "metric=order&key=%00", "metric=order&key=open&page=x", ""])
def test_rows_of_what_is_not_counted_are_not_there(wrong: str, finance: Client) -> None:
    assert finance.get(f"{PAGE}rows?{wrong}").status_code == 404


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_last_day_alone_may_be_too_far_away(console_client: Callable[..., Client], day: str) -> None:
    for page in ("", "rows?metric=order&key=opened&"):
        answer = console_client("viewer").get(f"/ops/figures/{page}{'' if page else '?'}since=&until={day}")
        assert answer.status_code in (404, 422), page


def test_a_days_figure_leads_back_to_the_whole_period_and_is_titled_in_words(busy: Shop, finance: Client) -> None:
    day = next(link for link in links(finance.get(PAGE, DAYS)) if "metric=order" in link and "from=" in link)
    page = finance.get(day).content.decode()
    assert f"since={DAYS['since']}&amp;until={DAYS['until']}" in page
    for link in links(finance.get(PAGE, DAYS)):
        title = finance.get(link).content.decode().partition("<title>")[2].partition("</title>")[0]
        assert not re.search("approved|refused|succeeded|failed|_", title), title


def test_the_ageing_figure_lists_what_it_counts() -> None:
    shop = Service(pk=uuid7(), merchant_id=uuid7())
    filters = ReportFilter(date(2026, 11, 1), date(2026, 11, 2), "test", None, shop, "JPY")
    url = source_url(Cell("1", "stock", "over_90"), filters)
    assert f"order__service__exact={shop.pk}" in url
    assert "currency__exact=JPY" in url
