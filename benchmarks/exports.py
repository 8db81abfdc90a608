"""A long list of orders is exported in the background, beside a loop over ORM objects. `make bench`."""

import csv
import io
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from accounts.models import User
from accounts.services import create_staff
from benchmarks.growth_queries import paid_and_due_orders
from benchmarks.load_clients import postgres_pid
from benchmarks.measurement import Measurement, measure, rates_by_side, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from bnpl.urls import CONSOLE_URLS
from kernel.clock import live_now
from office.models import Listing
from office.services import list_exports
from orders.models import Order
from tests.conftest import BY, NOON, make_person, make_shop
from tests.speed.bulk_orders import create_orders

assert CONSOLE_URLS  # what a list is called is registered there
MANY, THEIRS = scaled(100_000, 6_000), scaled(20_000, 6_000)
COLUMNS = ("id", "state", "total_minor", "ceiling_minor", "merchant", "out_order_no", "created_at", "person")


@pytest.fixture(scope="module")
def lin(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[User]:
    with django_db_blocker.unblock():
        yield create_exporter(MANY)


def create_exporter(many: int) -> User:
    """A colleague who may export all orders, and this many orders."""
    shop = make_shop("来电充电宝")
    person = make_person(shop)
    paid, owed = paid_and_due_orders(shop, person)
    create_orders(many, due=10, paid=paid, owed=owed, others=[make_person(shop).id for _ in range(20)])
    return create_staff("lin", "correct horse battery", roles=["finance"], by=BY, at=NOON)


def run_export(lin: User) -> int:
    """Every step of an export, as the scheduled job runs them: masked, safe in a spreadsheet, compressed, encrypted."""
    at = live_now()
    row = list_exports.request_export(lin, "orders.order", "", "csv", language="zh-hans", at=at)
    while (listing := Listing.objects.get(pk=row.pk)).made_at is None:
        if not list_exports.process_exports(at=live_now(), seconds=30):
            raise RuntimeError("Nobody goes on with it.")
    listing.delete_pieces()
    return int(listing.rows)


def orm_export() -> int:
    """The straightforward way: ORM objects and the csv module."""
    out = io.StringIO()
    writer, rows = csv.writer(out), Order.objects.select_related("merchant", "person").order_by("-id")[:THEIRS]
    for order in rows.iterator(chunk_size=1000):
        writer.writerow([str(getattr(order, name)) for name in COLUMNS])
    return THEIRS


def test_exporting(report: BenchmarkReport, lin: User) -> None:
    pids = {"worker": 0, "database": postgres_pid()}

    def ours() -> Measurement:
        return measure(lambda: run_export(lin), pids)

    def theirs() -> Measurement:
        return measure(orm_export, pids)

    done = run_in_turn({"ours": ours, "ORM objects": theirs})
    rate = rates_by_side(done)
    report.ratio("8 export", rate["ours"], rate["ORM objects"], "/s", rate)
    for name, measurements in done.items():
        report.note(f"export, {name}: {measurements[-1]}")
