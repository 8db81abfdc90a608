"""Lists are sorted by indexed columns only; short ones by any column."""

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services as accounts
from kernel import admin_site
from orders.models import Order
from tests.browsing import signed_in_client
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, yuan


@pytest.fixture
def colleague(power_bank: Shop) -> Client:
    for minor in ("3", "1", "2"):
        make_due_order(power_bank, make_person(power_bank), yuan(minor))
    return signed_in_client(accounts.create_staff("lin", "correct horse battery", roles=["viewer"], by=BY, at=NOON))


def asked_for(colleague: Client, address: str) -> tuple[list[int], str]:
    """What the orders listed come to, one after the other, and how they were asked for."""
    with CaptureQueriesContext(connection) as asked:
        answer = colleague.get(address)
    assert answer.status_code == 200
    rows = [row.total_minor for row in answer.context["cl"].result_list]
    return rows, " ".join(query["sql"] for query in asked if 'FROM "orders_order"' in query["sql"])


TOTAL = list(admin.site.get_model_admin(Order).list_display).index("total")


def test_a_short_list_is_sorted_by_any_column(colleague: Client) -> None:
    for sign, words in (("", "ASC"), ("-", "DESC")):
        assert f'"orders_order"."total_minor" {words}' in asked_for(colleague, f"/ops/orders/order/?o={sign}{TOTAL}")[1]


def test_a_long_list_is_not_sorted_by_what_is_typed(colleague: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_site, "COUNT_MAX", 3)
    newest, _ = asked_for(colleague, "/ops/orders/order/")
    rows, asked = asked_for(colleague, f"/ops/orders/order/?o=0.-{TOTAL}")
    assert '"orders_order"."total_minor" DESC' not in asked
    assert rows == newest == [200, 100, 300]


@pytest.mark.parametrize("typed", ["", "0", "-", "x", "99999999999999999999", "-1.x", "٣", ".", "1.1", "-999", "8"])
def test_invalid_sort_parameters_are_ignored(colleague: Client, typed: str) -> None:
    assert len(asked_for(colleague, f"/ops/orders/order/?o={typed}")[0]) == 3
