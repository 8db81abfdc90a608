"""The time of the console's lists at a million orders: the 95th percentile within 300 ms. `make bench-lists`.

A scratch database of the tests' servers; the rows are copied by SQL from two orders created by the services
(tests/speed). Times are of Django's whole response, without a network.
"""

import os
import time
from collections.abc import Iterator
from http import HTTPStatus
from statistics import quantiles

import pytest
from django.contrib import admin
from django.http import HttpRequest
from django.template import Template
from django.test import Client
from pytest_django import DjangoDbBlocker

from accounts import services as accounts
from billing.services.deduct import deduct_due
from orders import services
from orders.models import Obligation, Order
from tests.browsing import freeze_clock, signed_in_client
from tests.conftest import BY, NOON, make_due_order, make_order, make_person, make_shop, reload_order, yuan
from tests.speed.bulk_orders import create_orders

ORDERS, ROUNDS = int(os.environ.get("LISTED_ORDERS", "1000000")), int(os.environ.get("ROUNDS", "20"))
MOST_MS = 300


@pytest.fixture(scope="module")
def owed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Order]:
    """One of a million orders."""
    with django_db_blocker.unblock():
        bank = make_shop("来电充电宝")
        person = make_person(bank)
        paid = make_due_order(bank, person, yuan("12.34"))
        deduct_due(bank.realm_id, at=NOON)
        made = make_order(bank, paid.agreement)
        services.complete_order(made.id, services.CompletionRequest(total=500), by=BY, at=NOON)
        freeze_clock(NOON, person)
        others = [make_person(bank).id for _ in range(100)]
        create_orders(ORDERS, due=ORDERS // 100, paid=reload_order(paid.id), owed=reload_order(made.id), others=others)
        yield made


def pages(owed: Order) -> Iterator[str]:
    """Each big list: plain, filtered, sorted by each of its columns, searched, and turned over; and pages beside."""
    for model in (Order, Obligation):
        shown, page = admin.site.get_model_admin(model), f"/ops/orders/{model._meta.model_name}/"
        yield page
        yield f"{page}?p=100"
        for state, _name in model._meta.get_field("state").choices or ():
            yield f"{page}?state__exact={state}"
        yield f"{page}?realm__mode=live"
        yield f"{page}?realm__mode=test"
        columns = list(shown.list_display)
        yield from (f"{page}?o={columns.index(name)}" for name in shown.get_sortable_by(HttpRequest()))
        for found in (owed.public_id, owed.out_order_no, owed.person.public_id, owed.merchant.public_id, "nothing"):
            yield f"{page}?q={found}"
    yield from ("/ops/", "/ops/work/", "/ops/figures/", "/ops/merchants/", f"/ops/order/{owed.public_id}")
    yield f"/ops/merchants/{owed.merchant.public_id}"


def measure(browser: Client, page: str) -> tuple[float, float]:
    """The median and the 95th percentile in ms; infinite if the page fails, as by a statement timeout."""
    browser.get(page)  # warms up the process
    if browser.get(page).status_code != HTTPStatus.OK:
        return float("inf"), float("inf")
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        browser.get(page)
        took.append((time.perf_counter() - started) * 1000)
    cuts = quantiles(took, n=20)
    return cuts[9], cuts[18]


def test_the_lists_of_a_million_orders(owed: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a server renders: the tests' own rendering keeps a copy of every part's context.
    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))
    browser = signed_in_client(
        accounts.create_staff("lin", "correct horse battery", roles=["supervisor"], by=BY, at=NOON)
    )
    slow = []
    print(f"\n{ORDERS} orders\n| page | p50 ms | p95 ms |\n|---|---|---|")
    for page in pages(owed):
        half, most = measure(browser, page)
        print(f"| {page} | {half:.0f} | {most:.0f} |", flush=True)
        slow += [page] if most > MOST_MS else []
    assert slow == []
