"""How the hot questions grow with their tables: pages touched and time, by what PostgreSQL itself says. `make bench`.

SIZES says how many orders (100000,1000000); two sizes are compared, the last with the first. Due work is the same.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import median

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from accounts.models import Person
from benchmarks.book import Book
from benchmarks.weather import QUICK, ROUNDS
from billing.services.deduct import deduct_due
from orders import queries, services
from orders.models import Order
from tests.conftest import BY, NOON, Shop, completed, fresh, make_shop, ordered, someone, yuan
from tests.services import services as servers
from tests.speed.many import fill
from tests.speed.plans import Plan, plans_of

SIZES = [int(size) for size in (os.environ.get("SIZES") or ("2000,20000" if QUICK else "100000,1000000")).split(",")]
DUE, CLAIM = (100, 20) if QUICK else (2_000, 500)
#: So often each question is asked a round; the median counts.
TIMES = 5 if QUICK else 21


@pytest.fixture(scope="module")
def shop(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Shop]:
    with django_db_blocker.unblock():
        yield make_shop("来电充电宝")


def owing(shop: Shop, person: Person) -> tuple[Order, Order]:
    """One order that was paid, and one that is due."""
    paid = completed(shop, person, yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    owed = ordered(shop, paid.agreement)
    services.complete_order(owed.id, services.Final(total=500), by=BY, at=NOON)
    return fresh(paid.id), fresh(owed.id)


def claim(shop: Shop) -> None:
    with transaction.atomic():
        services.lock_due(shop.realm_id, at=NOON + timedelta(minutes=1), limit=CLAIM)
        transaction.set_rollback(True)


def test_growth(book: Book, shop: Shop) -> None:
    person = someone(shop)
    others = [someone(shop).id for _ in range(10 if QUICK else 200)]
    paid, owed = owing(shop, person)
    questions: dict[str, Callable[[], object]] = {
        "5 due-claim": lambda: claim(shop),
        "5 history": lambda: list(Order.objects.filter(person_id=person.id).order_by("-id")[:21]),
        "5 merchant list": lambda: queries.newest_of(shop.merchant.id, before=None, limit=21),
    }
    seen: dict[str, dict[int, list[Plan]]] = {name: {} for name in questions}
    for size in SIZES:
        fill(size, due=DUE, paid=paid, owed=owed, others=others)
        for name, act in questions.items():
            act()
            seen[name][size] = [plans_of(act)[0] for _ in range(TIMES * ROUNDS)]
        empty()
    for name, sizes in seen.items():
        tell(book, name, sizes)


def tell(book: Book, name: str, sizes: dict[int, list[Plan]]) -> None:
    buffers = {size: [float(plan.buffers) for plan in plans] for size, plans in sizes.items()}
    times = {size: by_round([plan.ms for plan in plans]) for size, plans in sizes.items()}
    first, last = SIZES[0], SIZES[-1]
    book.ratio(f"{name}, buffers", by_round(buffers[last]), by_round(buffers[first]), "pages", named(buffers))
    book.ratio(f"{name}, time", times[last], times[first], "ms", named(times))
    book.growth(f"{name}, growth", "ms", {"time": {size: median(figures) for size, figures in times.items()}})
    book.note(f"{name}: " + ", ".join(f"{size:,}: {median(buffers[size]):g} pages" for size in SIZES))


def by_round(figures: list[float]) -> list[float]:
    return [median(figures[n * TIMES : (n + 1) * TIMES]) for n in range(ROUNDS)]


def named(figures: dict[int, list[float]]) -> dict[str, list[float]]:
    return {f"{size:,} orders": found for size, found in figures.items()}


def empty() -> None:
    """Of the copies, whose keys are counted."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("orders_obligation", "orders_order"):  # our own names
            cursor.execute(f"DELETE FROM {table} WHERE id < '00000001-0000-0000-0000-000000000000'")  # noqa: S608
            cursor.execute(f"VACUUM FULL {table}")
