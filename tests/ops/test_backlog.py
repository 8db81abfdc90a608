"""The cost of the gauges does not grow with the tables: they are read from partial indexes of open work."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg2 import extensions

from accounts.models import Delivery
from billing.services.deduct import deduct_due
from bnpl.work import gauges
from orders.models import Order
from tests.billing.helpers import latest_deduction_of, obligation_of
from tests.conftest import NOON, Shop, make_due_order, make_person, yuan

pytestmark = pytest.mark.breaks_invariants  # copies of rows, made past every guard
MANY, SOME, HOUR = 100_000, 10_000, timedelta(hours=1)
ANY, TODAY = "gen_random_uuid()", "'2026-11-20T03:00:00Z'"
COPY = "INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, generate_series(1, %s) n WHERE id = %s"
OPEN_WORK = (
    "obligations_due",
    "obligations_going_overdue",
    "obligations_day_end",
    "obligations_day_end_stuck",
    "deductions_to_ask",
    "orders_waiting",
    "orders_held",
    "deliveries_due",
    "cases_open",
    "breaks_open",
    "callback_due",
)


def insert_copies(database: extensions.connection, size: int, row: Any, **changes: str) -> None:
    """So many more rows like this one, past triggers and foreign keys; a change is SQL, `n` the copy's number."""
    values = {field.column: field.column for field in row._meta.concrete_fields} | {"id": ANY} | changes
    table, columns, made = row._meta.db_table, ", ".join(values), ", ".join(values.values())
    with database.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(COPY.format(table=table, columns=columns, values=made), [size, row.id])
        cursor.execute(f"ANALYZE {table}")


def indexes_read(most: int) -> tuple[dict[str, float], set[str]]:
    """How many rows each index really gave to answer, and which tables were read from end to end."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(gauges.WALK_INDEXES)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {gauges.build_query()}", {"at": NOON, "most": most})
        ((found,),) = cursor.fetchall()
    given: dict[str, float] = {}
    walked = set()
    for node in plan_nodes(found[0]["Plan"]):
        if "Index Name" in node:
            rows = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            given[node["Index Name"]] = given.get(node["Index Name"], 0) + rows
        elif "Relation Name" in node:
            walked.add(node["Relation Name"])
    return given, walked


def plan_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from plan_nodes(below)


@pytest.fixture
def past(power_bank: Shop, superuser_connection: extensions.connection) -> Order:
    """One order whose deduction's outcome nobody knows, among many that are long settled."""
    order = make_due_order(power_bank, make_person(power_bank), yuan("1"), at=NOON - HOUR)
    deduct_due(power_bank.realm_id, at=NOON - HOUR)
    insert_copies(superuser_connection, SOME, order, out_order_no="n::text")
    insert_copies(superuser_connection, MANY, obligation_of(order), order_id=ANY)
    insert_copies(superuser_connection, MANY, latest_deduction_of(order), channel_txn="n::text")
    told = Delivery.objects.earliest("id")
    insert_copies(superuser_connection, SOME, told, notice_id=ANY, state="'skipped'", next_at="null")
    unknown = make_due_order(power_bank, make_person(power_bank, "slow"), yuan("1"), at=NOON)
    deduct_due(power_bank.realm_id, at=NOON)
    return unknown


def test_gauges_read_only_open_rows_up_to_a_bound(
    past: Order, superuser_connection: extensions.connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, walked = indexes_read(gauges.COUNT_MAX)
    assert set(OPEN_WORK) <= set(given)
    assert walked <= {"kernel_realm"}
    assert sum(given.values()) < 30

    due = {"in_flight": "null", "collect_at": TODAY, "overdue_from": TODAY}
    insert_copies(superuser_connection, SOME, obligation_of(past), order_id=ANY, **due)
    insert_copies(superuser_connection, SOME, latest_deduction_of(past), ask_at=TODAY)
    monkeypatch.setattr(gauges, "COUNT_MAX", 1_000)
    given, walked = indexes_read(1_000)
    assert walked <= {"kernel_realm"}
    assert given["obligations_due"] <= 1_000
    assert given["obligations_going_overdue"] <= 1_000
    seen = {(figure.work, figure.group): figure for figure in gauges.read_gauges(real=NOON) if figure.mode == "test"}
    for work, of in (("obligations_due", ""), ("overdue_due", ""), ("asks_due", ""), ("unknown", "sandbox")):
        assert seen[work, of].items_text == "1000 or more"
    assert seen["obligations_due", ""].oldest == HOUR


def test_gauges_take_one_query(db: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        gauges.read_gauges(real=NOON)
    settings = [query["sql"] for query in asked if query["sql"].startswith(("SET LOCAL", "SAVEPOINT", "RELEASE"))]
    assert len(asked) - len(settings) == 1
