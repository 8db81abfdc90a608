"""How the hot queries grow with their tables: buffers and time by EXPLAIN. `make bench`.

SIZES sets the numbers of orders (100000,1000000); the last is compared with the first. The due work is the same.
"""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from statistics import median

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from accounts.models import Person
from benchmarks.measurement import QUICK, ROUNDS
from benchmarks.report import BenchmarkReport
from billing.services.deduct import deduct_due
from orders import queries, services
from orders.models import Order
from tests.conftest import BY, NOON, Shop, make_due_order, make_order, make_person, make_shop, reload_order, yuan
from tests.services import services as servers
from tests.speed.bulk_orders import create_orders
from tests.speed.query_plans import Plan, plans_of

SIZES = [int(size) for size in (os.environ.get("SIZES") or ("2000,20000" if QUICK else "100000,1000000")).split(",")]
DUE, CLAIM = (100, 20) if QUICK else (2_000, 500)
#: How often each query runs a round; the median counts.
TIMES = 5 if QUICK else 21


@pytest.fixture(scope="module")
def shop(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Shop]:
    with django_db_blocker.unblock():
        yield make_shop("来电充电宝")


def paid_and_due_orders(shop: Shop, person: Person) -> tuple[Order, Order]:
    """One paid and one due order."""
    paid = make_due_order(shop, person, yuan("12.34"))
    deduct_due(shop.realm_id, at=NOON)
    owed = make_order(shop, paid.agreement)
    services.complete_order(owed.id, services.CompletionRequest(total=500), by=BY, at=NOON)
    return reload_order(paid.id), reload_order(owed.id)


def claim(shop: Shop) -> None:
    with transaction.atomic():
        services.lock_due(shop.realm_id, at=NOON + timedelta(minutes=1), limit=CLAIM)
        transaction.set_rollback(True)


def test_growth(report: BenchmarkReport, shop: Shop) -> None:
    person = make_person(shop)
    others = [make_person(shop).id for _ in range(10 if QUICK else 200)]
    paid, owed = paid_and_due_orders(shop, person)
    questions: dict[str, Callable[[], object]] = {
        "5 due-claim": lambda: claim(shop),
        "5 history": lambda: list(Order.objects.filter(person_id=person.id).order_by("-id")[:21]),
        "5 merchant list": lambda: queries.latest_orders_of(shop.merchant.id, before=None, limit=21),
    }
    seen: dict[str, dict[int, list[Plan]]] = {name: {} for name in questions}
    for size in SIZES:
        create_orders(size, due=DUE, paid=paid, owed=owed, others=others)
        for name, act in questions.items():
            act()
            seen[name][size] = [plans_of(act)[0] for _ in range(TIMES * ROUNDS)]
        delete_copies()
    for name, sizes in seen.items():
        report_query(report, name, sizes)


def report_query(report: BenchmarkReport, name: str, sizes: dict[int, list[Plan]]) -> None:
    buffers = {size: [float(plan.buffers) for plan in plans] for size, plans in sizes.items()}
    times = {size: by_round([plan.ms for plan in plans]) for size, plans in sizes.items()}
    first, last = SIZES[0], SIZES[-1]
    report.ratio(f"{name}, buffers", by_round(buffers[last]), by_round(buffers[first]), "pages", by_size(buffers))
    report.ratio(f"{name}, time", times[last], times[first], "ms", by_size(times))
    report.growth(f"{name}, growth", "ms", {"time": {size: median(figures) for size, figures in times.items()}})
    report.note(f"{name}: " + ", ".join(f"{size:,}: {median(buffers[size]):g} pages" for size in SIZES))


def by_round(figures: list[float]) -> list[float]:
    return [median(figures[n * TIMES : (n + 1) * TIMES]) for n in range(ROUNDS)]


def by_size(figures: dict[int, list[float]]) -> dict[str, list[float]]:
    return {f"{size:,} orders": found for size, found in figures.items()}


def delete_copies() -> None:
    """Delete the copied orders, whose keys are small numbers."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in ("orders_obligation", "orders_order"):  # our own names
            cursor.execute(f"DELETE FROM {table} WHERE id < '00000001-0000-0000-0000-000000000000'")  # noqa: S608
            cursor.execute(f"VACUUM FULL {table}")
