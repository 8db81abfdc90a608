"""A long list of orders becomes a file in the background, beside a loop of ORM objects. `make bench`."""

import csv
import io
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from accounts.models import User
from accounts.services import create_staff
from benchmarks.asking import postgres
from benchmarks.book import Book
from benchmarks.growth import owing
from benchmarks.weather import Work, in_turn, measured, paces, sized
from bnpl.urls import CONSOLE
from kernel.clock import live_now
from office.models import Listing
from office.services import files
from orders.models import Order
from tests.conftest import BY, NOON, make_shop, someone
from tests.speed.many import fill

assert CONSOLE  # what a list is called is registered there
MANY, THEIRS = sized(100_000, 6_000), sized(20_000, 6_000)
COLUMNS = ("id", "state", "total_minor", "ceiling_minor", "merchant", "out_order_no", "created_at", "person")


@pytest.fixture(scope="module")
def lin(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[User]:
    with django_db_blocker.unblock():
        yield colleague(MANY)


def colleague(many: int) -> User:
    """A colleague who may see all orders, of which there are so many."""
    shop = make_shop("来电充电宝")
    person = someone(shop)
    paid, owed = owing(shop, person)
    fill(many, due=10, paid=paid, owed=owed, others=[someone(shop).id for _ in range(20)])
    return create_staff("lin", "correct horse battery", roles=["finance"], by=BY, at=NOON)


def exported(lin: User) -> int:
    """Every step of a file, as the ring does them: masked, harmless in a spreadsheet, squeezed and sealed."""
    at = live_now()
    row = files.ask_file(lin, "orders.order", "", "csv", language="zh-hans", at=at)
    while (made := Listing.objects.get(pk=row.pk)).made_at is None:
        if not files.make_files(at=live_now(), seconds=30):
            raise RuntimeError("Nobody goes on with it.")
    made.empty()
    return int(made.rows)


def looped() -> int:
    """What one writes first: objects, and csv."""
    out = io.StringIO()
    writer, rows = csv.writer(out), Order.objects.select_related("merchant", "person").order_by("-id")[:THEIRS]
    for order in rows.iterator(chunk_size=1000):
        writer.writerow([str(getattr(order, name)) for name in COLUMNS])
    return THEIRS


def test_exporting(book: Book, lin: User) -> None:
    programs = {"worker": 0, "database": postgres()}

    def ours() -> Work:
        return measured(lambda: exported(lin), programs)

    def theirs() -> Work:
        return measured(looped, programs)

    done = in_turn({"ours": ours, "ORM objects": theirs})
    pace = paces(done)
    book.ratio("8 export", pace["ours"], pace["ORM objects"], "/s", pace)
    for name, works in done.items():
        book.note(f"export, {name}: {works[-1]}")
