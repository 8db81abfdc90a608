"""The time of the record pages for a person with a hundred thousand of a million orders. `make bench-history`.

A scratch database of the tests' servers; the rows are copied by SQL from two orders created by the services. Times are
of Django's whole response, without a network. Orders of other people have no obligations.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import quantiles

import pytest
from django.db import connection
from django.template import Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from accounts.models import Person
from billing.services.deduct import deduct_due
from orders import services
from orders.models import Order
from tests.browsing import client_for, freeze_clock
from tests.conftest import BY, NOON, make_due_order, make_order, make_person, make_shop, yuan
from tests.services import services as servers

ORDERS, HERS_EACH, ROUNDS = 1_000_000, 10, 100
#: The state of an order depends on the last two digits of its number.
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
QUERIES = {
    "first page": "",
    "in progress": "shelf=in_progress",
    "to pay": "shelf=to_pay",
    "kept": "shelf=kept",
    "cancelled": "shelf=cancelled",
    "overdue": "shelf=overdue",
    "a deep page": f"cursor=ord_{ORDERS // 20:032x}",
    "a deep page of a shelf": f"shelf=cancelled&cursor=ord_{ORDERS // 20:032x}",
    "a month": "month=2024-06",
    "a search that finds": "q=雨伞",
    "a search that finds nothing": "q=自行车",
    "the same, from deep": f"q=自行车&cursor=ord_{ORDERS // 2:032x}",
    "a search in a month": "q=自行车&month=2024-06",
}


@pytest.fixture(scope="module")
def ada(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Person]:
    """Somebody with a hundred thousand orders."""
    with django_db_blocker.unblock():
        bank = make_shop("来电充电宝")
        person = make_person(bank)
        paid = make_due_order(bank, person, yuan("12.34"))
        deduct_due(bank.realm_id, at=NOON)
        owed = make_order(bank, paid.agreement)
        services.complete_order(owed.id, services.CompletionRequest(total=500), by=BY, at=NOON)
        freeze_clock(NOON, person)
        fill(paid, owed)
        yield person


def fill(paid: Order, owed: Order) -> None:
    """Insert copies of these two orders without triggers, as only a superuser can."""
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
    """The copied columns as SQL, with the changed ones replaced."""
    return ", ".join(changed.get(name, f"t.{name}") for name in columns).replace("%", "%%")


@dataclass(frozen=True)
class Timing:
    """The median and the 95th percentile, and the average CPU time of both processes (ms)."""

    half: float
    most: float
    django: float
    postgres: float
    queries: int

    def __str__(self) -> str:
        figures = (self.half, self.most, self.django, self.postgres)
        return f"{' | '.join(f'{figure:.1f}' for figure in figures)} | {self.queries}"


def measure(browser: Client, query: str) -> Timing:
    with CaptureQueriesContext(connection) as captured:
        status = browser.get(f"/orders/?{query}").status_code
    queries = len(captured)
    if status != HTTPStatus.OK:
        pytest.fail(f"{query}: {status}")
    times, spent, worked = [], time.process_time(), postgres_cpu_seconds()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        browser.get(f"/orders/?{query}")
        times.append((time.perf_counter() - started) * 1000)
    django = (time.process_time() - spent) * 1000 / ROUNDS
    postgres = (postgres_cpu_seconds() - worked) * 1000 / ROUNDS
    cuts = quantiles(times, n=20)
    return Timing(cuts[9], cuts[18], django, postgres, queries)


def postgres_cpu_seconds() -> float:
    """CPU seconds of our connection's backend process; 0 on systems other than Linux."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        stat = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_the_record_of_a_hundred_thousand_orders(ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    # As a server renders: the tests' own rendering keeps a copy of every part's context.
    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))
    browser = client_for(ada)
    print("\n| page | p50 ms | p95 ms | Django's CPU | PostgreSQL's CPU | questions |\n|---|---|---|---|---|---|")
    for name, query in QUERIES.items():
        print(f"| {name} | {measure(browser, query)} |", flush=True)
