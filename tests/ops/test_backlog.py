"""However much there is and however much waits, the figures cost the same: they come from indexes of open work."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from accounts.models import Delivery
from billing.models import Case, Deduction
from billing.services.deduct import deduct_due
from bnpl.work import figures
from bnpl.work.kinds import KINDS
from orders.models import Obligation, Order
from tests.billing.bench import deduction_of, owed_of
from tests.conftest import NOON, Shop, completed, someone, yuan

pytestmark = pytest.mark.breaks_the_house  # copies of rows, made past every guard
MANY = 100_000
#: A row like an old one, under a key and an order of its own, with other values.
COPY = """
INSERT INTO {table} SELECT (jsonb_populate_record(old, jsonb_build_object({changes}))).*
FROM {table} old, generate_series(1, %s) n WHERE old.id = %s
"""
OPEN_WORK = {
    "obligations_due": "obligations_due",
    "sent_past_lease": "deductions_to_ask",
    "asks_due": "deductions_to_ask",
    "unknown": "deductions_to_ask",
    "overdue_due": "obligations_going_overdue",
    "day_ends_due": "obligations_day_end",
    "day_ends_failed": "obligations_day_end_stuck",
    "orders_expiring": "orders_waiting",
    "notices_due": "deliveries_due",
    "cases_open": "cases_open",
}


def copies(database: extensions.connection, row: Any, size: int, **changes: str) -> None:
    """So many more rows like this one, past triggers and foreign keys."""
    pairs = ", ".join(f"'{column}', {value}" for column, value in {"id": "gen_random_uuid()", **changes}.items())
    with database.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(COPY.format(table=row._meta.db_table, changes=pairs), [size, row.id])
        cursor.execute(f"ANALYZE {row._meta.db_table}")


def plan(most: int) -> dict[str, Any]:
    """What the database does to answer, and how many rows it really touches."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        asked = "EXPLAIN (ANALYZE, FORMAT JSON) " + figures.question()
        cursor.execute(asked, {"at": NOON, "most": most})
        (found,) = cursor.fetchone()
    return dict((found if isinstance(found, list) else json.loads(found))[0])


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from nodes(below)


@pytest.fixture
def unknown(power_bank: Shop, transactional_db: None) -> Order:
    order = completed(power_bank, someone(power_bank, "slow"), yuan("1"), at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    return order


def test_x(unknown: Order, superuser_connection: extensions.connection) -> None:
    order = "gen_random_uuid()"
    t = time.monotonic()
    copies(superuser_connection, owed_of(unknown), MANY, order_id=order, in_flight="null", overdue_from="null", state="'waived'", collect_at="null")
    copies(superuser_connection, deduction_of(unknown), MANY, channel_txn=order, state="'succeeded'", ask_at="null")
    copies(superuser_connection, unknown, MANY, out_order_no="n::text", state="'deducted'")
    copies(superuser_connection, Delivery.objects.first() , MANY, notice_id=order,state="'sent'", next_at="null") if Delivery.objects.first() else None
    print("made", time.monotonic() - t)
    p = plan(100000)
    print(p["Execution Time"], p["Planning Time"])
    for n in nodes(p["Plan"]):
        if "Relation Name" in n: print(n["Node Type"], n["Relation Name"], n.get("Index Name"), n["Actual Rows"], n["Actual Loops"], n.get("Plan Rows"))
    copies(superuser_connection, owed_of(unknown), MANY, order_id=order, in_flight="null", overdue_from="'2026-11-19T00:00:00Z'", collect_at="'2026-11-19T00:00:00Z'")
    copies(superuser_connection, deduction_of(unknown), MANY, ask_at="'2026-11-19T00:00:00Z'")
    p = plan(100000)
    print(p["Execution Time"], p["Planning Time"])
    for n in nodes(p["Plan"]):
        if "Relation Name" in n: print(n["Node Type"], n["Relation Name"], n.get("Index Name"), n["Actual Rows"], n["Actual Loops"], n.get("Plan Rows"))
    t = time.monotonic()
    figures.under_way(real=NOON)
    print(time.monotonic() - t)
