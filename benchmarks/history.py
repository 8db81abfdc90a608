"""How long the promise record takes for somebody with a hundred thousand orders of a million. `make bench-history`.

A scratch database of the tests' servers; rows are copied by SQL from two orders that were really made. What is measured
is the whole of Django's answer, without a network. An order that is not the person's has no obligation beside it.
"""

import time
from collections.abc import Iterator
from http import HTTPStatus
from statistics import quantiles

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services
from orders.models import Order
from tests.conftest import BY, NOON, completed, make_shop, ordered, someone, yuan
from tests.services import services as servers
from tests.visiting import it_is, visiting

ORDERS, HERS_EACH, ROUNDS = 1_000_000, 10, 100
#: How the last two digits of an order's number say how it stands.
FILL = """
CREATE TEMP TABLE plan AS SELECT n, lpad(to_hex(n), 32, '0')::uuid AS id, n %% %(each)s = 0 AS hers,
  CASE (n / %(each)s) %% 100 WHEN 0 THEN 'completed' WHEN 1 THEN 'open' WHEN 2 THEN 'expired' WHEN 3 THEN 'cancelled'
    WHEN 4 THEN 'cancelled' ELSE CASE WHEN n / %(each)s %% 1000 = 505 THEN 'overdue' ELSE 'deducted' END END AS state
  FROM generate_series(1, %(orders)s) n;
INSERT INTO orders_order ({order_columns}) SELECT {order_values} FROM plan p
  JOIN orders_order t
    ON t.id = CASE WHEN p.state IN ('completed', 'overdue') THEN %(owed)s::uuid ELSE %(paid)s::uuid END
  ORDER BY n;
INSERT INTO orders_obligation ({debt_columns}) SELECT {debt_values} FROM plan p
  JOIN orders_obligation t
    ON t.order_id = CASE WHEN p.state IN ('completed', 'overdue') THEN %(owed)s::uuid ELSE %(paid)s::uuid END
  WHERE p.hers AND p.state IN ('completed', 'overdue', 'deducted') ORDER BY n;
"""
IN_ORDER = {
    "id": "p.id",
    "person_id": "CASE WHEN p.hers THEN t.person_id ELSE lpad(to_hex(p.n % 900), 32, '0')::uuid END",
    "state": "p.state",
    "out_order_no": "'B' || p.n",
    "title": "CASE WHEN p.n % 5000 = 0 THEN '雨伞租借' ELSE '充电宝租借 · 第 ' || p.n || ' 次' END",
    "created_at": "t.created_at - (1000000 - p.n) * interval '2 minutes'",
}
ASKED = {
    "first page": "",
    "in progress": "shelf=in_progress",
    "to pay": "shelf=to_pay",
    "kept": "shelf=kept",
    "cancelled": "shelf=cancelled",
    "overdue": "shelf=overdue",
    "a deep page": f"cursor={ORDERS // 20:032x}",
    "a deep page of a shelf": f"shelf=cancelled&cursor={ORDERS // 20:032x}",
    "a month": "month=2024-06",
    "a search that finds": "q=雨伞",
    "a search that finds nothing": "q=自行车",
    "the same, from deep": f"q=自行车&cursor={ORDERS // 2:032x}",
    "a search in a month": "q=自行车&month=2024-06",
}


@pytest.fixture(scope="module")
def ada(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Person]:  # noqa: ARG001  pytest hands it in
    """Somebody with a hundred thousand orders."""
    with django_db_blocker.unblock():
        bank = make_shop("来电充电宝")
        person = someone(bank)
        paid = completed(bank, person, yuan("12.34"))
        deduct_due(bank.realm_id, at=NOON)
        owed = ordered(bank, paid.agreement)
        services.complete_order(owed.id, services.Final(total=500), by=BY, at=NOON)
        it_is(NOON, person)
        fill(paid, owed)
        yield person


def fill(paid: Order, owed: Order) -> None:
    """Copies of these two, without the guards of the tables, as only a superuser can."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        columns = {}
        for table in ("orders_order", "orders_obligation"):
            cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [table])
            columns[table] = [name for (name,) in cursor.fetchall()]
        debt = {"id": "p.id", "order_id": "p.id"}
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            FILL.format(
                order_columns=", ".join(columns["orders_order"]),
                order_values=values(columns["orders_order"], IN_ORDER),
                debt_columns=", ".join(columns["orders_obligation"]),
                debt_values=values(columns["orders_obligation"], debt),
            ),
            {"each": HERS_EACH, "orders": ORDERS, "owed": str(owed.id), "paid": str(paid.id)},
        )
        for table in columns:
            cursor.execute(f"VACUUM ANALYZE {table}")


def values(columns: list[str], changed: dict[str, str]) -> str:
    """What is copied, but for what is changed."""
    return ", ".join(changed.get(name, f"t.{name}") for name in columns).replace("%", "%%")


def measure(browser: Client, asked: str) -> tuple[float, float, int]:
    """Half and nineteen of twenty answers took no longer, in ms; and how many questions one asks."""
    took = []
    with CaptureQueriesContext(connection) as asking:
        status = browser.get(f"/orders/?{asked}").status_code
    if status != HTTPStatus.OK:
        pytest.fail(f"{asked}: {status}")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        browser.get(f"/orders/?{asked}")
        took.append((time.perf_counter() - begun) * 1000)
    cuts = quantiles(took, n=20)
    return cuts[9], cuts[18], len(asking)


def test_the_record_of_a_hundred_thousand_orders(ada: Person) -> None:
    browser = visiting(ada)
    print("\n| page | p50 ms | p95 ms | questions |\n|---|---|---|---|")
    for name, asked in ASKED.items():
        half, most, questions = measure(browser, asked)
        print(f"| {name} | {half:.1f} | {most:.1f} | {questions} |", flush=True)
