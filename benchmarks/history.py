"""How long the promise record takes for somebody with a hundred thousand orders of a million. `make bench-history`.

A scratch database of the tests' servers; rows are copied by SQL from two orders that were really made. What is measured
is the whole of Django's answer, without a network. An order that is not the person's has no obligation beside it.
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


@dataclass(frozen=True)
class Took:
    """Half and nineteen of twenty answers took no longer; what they cost both processes on average (ms)."""

    half: float
    most: float
    django: float
    postgres: float
    questions: int

    def __str__(self) -> str:
        figures = (self.half, self.most, self.django, self.postgres)
        return f"{' | '.join(f'{figure:.1f}' for figure in figures)} | {self.questions}"


def measure(browser: Client, asked: str) -> Took:
    with CaptureQueriesContext(connection) as asking:
        status = browser.get(f"/orders/?{asked}").status_code
    questions = len(asking)
    if status != HTTPStatus.OK:
        pytest.fail(f"{asked}: {status}")
    took, spent, worked = [], time.process_time(), busy_of_postgres()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        browser.get(f"/orders/?{asked}")
        took.append((time.perf_counter() - begun) * 1000)
    django = (time.process_time() - spent) * 1000 / ROUNDS
    postgres = (busy_of_postgres() - worked) * 1000 / ROUNDS
    cuts = quantiles(took, n=20)
    return Took(cuts[9], cuts[18], django, postgres, questions)


def busy_of_postgres() -> float:
    """For how long our connection's process has really run (s); on other systems than Linux nobody says."""
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
    browser = visiting(ada)
    print("\n| page | p50 ms | p95 ms | Django's CPU | PostgreSQL's CPU | questions |\n|---|---|---|---|---|---|")
    for name, asked in ASKED.items():
        print(f"| {name} | {measure(browser, asked)} |", flush=True)
