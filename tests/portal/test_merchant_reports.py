"""A merchant's own reports: only its own tallies, without platform-internal figures."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.services.deduct import deduct_due
from kernel.clock import live_now
from office.services import tally
from orders import queries as order_queries
from orders import services as orders
from orders.models import Obligation
from portal import queries
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan
from tests.console.conftest import page_text
from tests.office.test_tally import counted, late
from tests.portal.conftest import Company

DAYS = {"since": "2026-11-18", "until": "2026-11-30"}


def lived(shop: Shop) -> None:
    make_due_order(shop, make_person(shop), yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    late(shop)
    counted()
    tally.take_stock(real=live_now())


def address(firm: Company) -> str:
    return f"/merchant/{firm.shop.merchant.public_id}/figures/"


def test_a_merchant_sees_how_its_days_went(firm: Company) -> None:
    lived(firm.shop)
    page = firm.browser("viewer").get(address(firm), DAYS)
    assert page.status_code == 200
    text = page_text(page)
    assert "2026-11-20 2 ¥198.00 2 ¥42.34 1 ¥12.34 – –" in text
    assert "余额不足" in text
    assert b"<rect" in page.content
    for theirs in ("平台损失", "拒绝原因"):
        assert theirs not in text, theirs


def test_a_table_comes_as_a_file_and_what_is_no_table_does_not(firm: Company) -> None:
    lived(firm.shop)
    viewer = firm.browser("viewer")
    answer = viewer.get(f"{address(firm)}orders.csv", DAYS)
    assert answer["Content-Type"].startswith("text/csv")
    assert "2026-11-20,2,¥198.00,2,¥42.34,1,¥12.34" in answer.content.decode()
    for name in ("refusals", "rolls", "nosuch"):
        assert viewer.get(f"{address(firm)}{name}.csv", DAYS).status_code == 404


def test_another_merchants_days_are_not_in_it(firm: Company, rival: Company) -> None:
    lived(firm.shop)
    text = page_text(rival.browser("owner").get(address(rival), DAYS))
    assert "¥12.34" not in text
    assert "2026-11-20" not in text.partition("2026-11-30")[2]
    assert rival.browser("owner").get(address(firm), DAYS).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"since": "x"},
        {"since": "2026-11-30", "until": "2026-11-01"},
        {"since": "2020-01-01", "until": "2026-01-01"},
        {"service": "svc_" + "0" * 32},
        {"currency": "\x00"},
        {"until": "9999-12-31"},
    ],
)
def test_nonsense_is_said_to_be_some(firm: Company, query: dict[str, str]) -> None:
    assert firm.browser("viewer").get(address(firm), query).status_code == 422
    assert firm.browser("viewer").get(f"{address(firm)}orders.csv", query).status_code == 404


def test_another_merchants_service_is_like_one_that_there_is_not(firm: Company, rival: Company) -> None:
    viewer = firm.browser("viewer")
    answers = [
        viewer.get(address(firm), {"service": service})
        for service in (rival.shop.service.public_id, "svc_" + "0" * 32, "💴", "充电宝" * 2_000)
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert rival.shop.service.public_id not in answers[1].content.decode()


def test_instalments_count_on_the_day_they_are_collected(firm: Company) -> None:
    shop = firm.shop
    order = make_due_order(shop, make_person(shop), yuan("12"))
    offer = orders.PlanOffer(2, 14)
    owed = order_queries.plan_options_for(order.person_id, order.id, at=NOON).sums
    orders.choose_plan(order.person_id, order.id, offer, expected=owed, by=BY, at=NOON)
    for due in sorted(row.due_at for row in order.obligations.filter(state__in=Obligation.OWED)):
        deduct_due(shop.realm_id, at=due)
        with CaptureQueriesContext(connection) as queries_made:
            today = queries.today_summary(shop.merchant, since=due)
        assert (today.collected.count, list(today.collected.sums)) == (1, [yuan("6")])
        assert len(queries_made) == 4
    both = queries.today_summary(shop.merchant, since=NOON)
    assert (both.collected.count, list(both.collected.sums)) == (1, [yuan("12")])
