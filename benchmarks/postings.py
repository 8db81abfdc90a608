"""What is written into the book, one by one and many at once, beside django-hordak. `make bench`.

Both keep a double-entry book on the same PostgreSQL, in rows that balance by themselves or by a trigger.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from uuid import UUID

import pytest
from django.db import connection, transaction

from benchmarks.asking import postgres
from benchmarks.book import Book
from benchmarks.crowd import Crowd
from benchmarks.naive_house import Naive, furnish
from benchmarks.weather import Work, in_turn, measured, paces, sized
from kernel.clock import live_now
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.money import Money
from ledger import rules
from ledger import services as ledger
from ledger.services import Fact

MANY, THEIRS, BULK = sized(16_000, 800), sized(4_000, 400), 500
BULK_MANY, BULK_THEIRS = sized(40_000, 1_000), sized(10_000, 1_000)
AT_ONCE = 8
_OWNER = UUID(int=7)
_SIX = Money(600, "CNY")


@pytest.fixture(scope="module")
def hordak() -> Naive:
    if find_spec("hordak") is None:
        pytest.skip("django-hordak is not installed: make .venv/.bench")
    return furnish(1, name="hordak")


def facts(count: int) -> list[Fact]:
    """So many top-ups of six yuan."""
    move = rules.Move(rules.clearing("sandbox"), rules.wallet(_OWNER), _SIX)
    return [Fact(uuid7(), "topped_up", [move]) for _ in range(count)]


def one_by_one(many: int) -> int:
    """Each in a transaction of its own, by eight threads."""

    def some(count: int) -> None:
        for fact in facts(count):
            with transaction.atomic():
                ledger.post([fact], realm_id=LIVE, at=live_now())
        connection.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(some, [many // AT_ONCE] * AT_ONCE))
    return many


def in_bulk(many: int) -> int:
    for _ in range(many // BULK):
        with transaction.atomic():
            ledger.post(facts(BULK), realm_id=LIVE, at=live_now())
    return many


def theirs(hordak: Naive, many: int, bulk: int) -> Work:
    told = json.loads(hordak.run("benchmarks.baselines.hordak_book", str(many), str(AT_ONCE), str(bulk)))
    return Work(told["units"], told["seconds"], {"worker": told["cpu"]})


@pytest.mark.usefixtures("crowd")
def test_one_by_one(book: Book, hordak: Naive) -> None:
    programs = {"worker": 0, "database": postgres()}
    ours = {"ours": lambda: measured(lambda: one_by_one(MANY), programs)}
    compare(book, "7 postings, one by one", ours | {"django-hordak": lambda: theirs(hordak, THEIRS, 0)})


def test_in_bulk(book: Book, crowd: Crowd, hordak: Naive) -> None:
    assert crowd.realm_id == LIVE
    programs = {"worker": 0, "database": postgres()}
    ours = {"ours": lambda: measured(lambda: in_bulk(BULK_MANY), programs)}
    compare(book, "7 postings, bulk", ours | {"django-hordak": lambda: theirs(hordak, BULK_THEIRS, BULK)})


def compare(book: Book, name: str, sides: dict[str, Callable[[], Work]]) -> None:
    done = in_turn(sides)
    pace = paces(done)
    book.ratio(name, pace["ours"], pace["django-hordak"], "/s", pace)
    for side, works in done.items():
        book.note(f"{name[2:]}, {side}: {works[-1]}")
