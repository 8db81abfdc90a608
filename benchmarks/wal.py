"""The WAL volume of a create: our tables with time-ordered keys, beside the same tables with UUIDv4. `make bench`.

The tables to which a create adds rows, copied with their indexes and checks and filled from one real create. After a
checkpoint each page is written in full when it is first changed, and random keys change many pages.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from benchmarks.measurement import ROUNDS, scaled
from benchmarks.report import BenchmarkReport
from orders.models import Order
from tests.api import Api, order_body
from tests.conftest import make_agreement, make_person, make_shop
from tests.services import services as servers

FILLED, CREATED = scaled(500_000, 30_000), 200
KEYS = {"sorted by time": "uuidv7()", "UUIDv4": "gen_random_uuid()"}
#: A table, how the real create's row is found in it, and what is different in a copy: SQL over `k`, the copy's keys.
TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "orders_order": ("id = %(order)s", {"id": "k.one", "out_order_no": "'W' || k.n"}),
    "credit_decision": ("out_order_no = 'W0'", {"id": "k.two", "out_order_no": "'W' || k.n"}),
    "orders_orderevent": ("subject_id = %(order)s", {"id": "k.three", "subject_id": "k.one"}),
    "merchants_event": ("subject_id = %(order)s", {"id": "k.four", "subject_id": "k.one"}),
    "kernel_idempotencykey": ("route LIKE '%%/orders'", {"id": "k.n", "key": "'W' || k.n"}),
}


@pytest.fixture(scope="module")
def created(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Order]:
    """One order, as it is created over the API."""
    with django_db_blocker.unblock():
        shop = make_shop("来电充电宝")
        body = order_body(make_agreement(shop, make_person(shop)).public_id, out_order_no="W0")
        answer = Api(shop).post("orders", body, HTTP_IDEMPOTENCY_KEY="W0")
        assert answer.status_code == 201, answer.content
        yield Order.objects.get(out_order_no="W0", merchant=shop.merchant)


class TableCopies:
    """Copies of the tables in a schema of their own, with one kind of keys."""

    def __init__(self, schema: str, key: str, order: Order) -> None:
        self.schema, self.key, self.made = schema, key, 0
        self.real = {"order": order.id}

    def build(self, cursor: Any) -> None:
        cursor.execute(f"CREATE SCHEMA {self.schema}")
        for table in TABLES:
            cursor.execute(f"CREATE TABLE {self.schema}.{table} (LIKE {table} INCLUDING ALL)")
        self.create(cursor, FILLED)
        cursor.execute("VACUUM ANALYZE")

    def create(self, cursor: Any, count: int) -> None:
        cursor.execute("DROP TABLE IF EXISTS k")
        cursor.execute(
            f"CREATE TEMP TABLE k AS SELECT n, {', '.join(f'{self.key} AS {name}' for name in _KEY_COLUMNS)}"  # noqa: S608
            " FROM generate_series(%s, %s) n",
            [self.made + 1, self.made + count],
        )
        for table, (where, changes) in TABLES.items():
            columns = _columns(cursor, table)
            values = ", ".join(changes.get(name, f't."{name}"') for name in columns)
            named = ", ".join(f'"{name}"' for name in columns)
            cursor.execute(
                f"INSERT INTO {self.schema}.{table} ({named}) SELECT {values}"  # noqa: S608  our own names
                f" FROM k, (SELECT * FROM {table} WHERE {where} LIMIT 1) t ORDER BY k.n",
                self.real,
            )
            if cursor.rowcount != count:
                raise RuntimeError(f"{table}: {cursor.rowcount} rows instead of {count}")
        self.made += count

    def bytes_each(self, cursor: Any) -> float:
        """Of a create, after a checkpoint."""
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        (before,) = cursor.fetchone()
        self.create(cursor, CREATED)
        cursor.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [before])
        return float(cursor.fetchone()[0]) / CREATED


_KEY_COLUMNS = ("one", "two", "three", "four")


def _columns(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
        [table],
    )
    return [name for (name,) in cursor.fetchall()]


def test_what_is_written_ahead(report: BenchmarkReport, created: Order) -> None:
    copies_by_key = {name: TableCopies(f"wal_{place}", key, created) for place, (name, key) in enumerate(KEYS.items())}
    seen: dict[str, list[float]] = {name: [] for name in copies_by_key}
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        for copies in copies_by_key.values():
            copies.build(cursor)
        for number in range(ROUNDS):
            for name in list(copies_by_key)[:: 1 if number % 2 else -1]:
                seen[name].append(copies_by_key[name].bytes_each(cursor))
        for copies in copies_by_key.values():
            cursor.execute(f"DROP SCHEMA {copies.schema} CASCADE")
    ours, theirs = seen.values()
    report.ratio("11 WAL of a create after a checkpoint", ours, theirs, "bytes", seen)
    report.note(f"written ahead for a create: {ours[-1]:,.0f} bytes, with UUIDv4 {theirs[-1]:,.0f}, among {FILLED:,}")
