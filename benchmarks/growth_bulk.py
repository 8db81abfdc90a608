"""The time of a webhook delivery, a settlement line and a statement line as their tables grow. `make bench`.

GROWN_SETS sets the sizes (10000,100000,1000000): as many were delivered or settled before. The timed batch is the same
at each size, except that a statement contains all. The rows are copied without triggers.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from statistics import median
from typing import Any

from django.db import transaction

from benchmarks import statements
from benchmarks.crowd import Crowd
from benchmarks.measurement import QUICK, scaled
from benchmarks.report import BenchmarkReport
from benchmarks.settlement import busy_shop
from benchmarks.webhooks import ENDPOINTS, DeliveryRun, event_data, receiver, register_endpoints
from billing.channels.statement_layouts import DEFAULT_LAYOUT
from billing.services.deduct import deduct_due
from billing.services.settlements import settle_due
from billing.services.statement_import import import_statement
from kernel.clock import live_now
from kernel.models import LIVE
from merchants.services import deliver_due
from tests.conftest import BY, NOON, Shop, make_due_order, make_person, make_shop, yuan
from tests.services import services as servers

_WANTED = os.environ.get("GROWN_SETS") or ("500,2000" if QUICK else "10000,100000,1000000")
SIZES = [int(size) for size in _WANTED.split(",")]
DAY = date(2026, 11, 20)
EVENTS, LINES, TIMES = scaled(3_000, 300), scaled(20_000, 500), scaled(5, 2)
_DELIVERED = """
UPDATE merchants_webhookdelivery SET state = 'delivered', next_at = NULL, tries = 1, ended_at = created_at
WHERE state = 'pending'
"""
#: The merchant's postings of the next day.
_LATER = """
INSERT INTO ledger_posting SELECT (json_populate_record(p, json_build_object('id', uuidv7(), 'cause_id', uuidv7(),
    'at', p.at + interval '1 day'))).*
FROM ledger_posting p, generate_series(1, %s)
WHERE p.id = (SELECT id FROM ledger_posting WHERE credit_owner = %s AND credit_account = 'payable' ORDER BY id LIMIT 1)
"""


def execute_unguarded(*statements_: tuple[str, list[Any]]) -> None:
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for sql, values in statements_:
            cursor.execute(sql, values)


def microseconds_each(units: int, act: Callable[[], object], times: int = TIMES) -> float:
    """Microseconds for one unit: the median of some rounds."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        took.append(1_000_000 * (time.perf_counter() - started) / units)
    return median(took)


def report_growth(report: BenchmarkReport, name: str, found: dict[int, float]) -> None:
    report.growth(f"growth of {name}", "µs", {f"{name}, each": found})
    report.note(f"{name}, µs each: " + ", ".join(f"{size:,}: {value:.1f}" for size, value in found.items()))


def test_webhooks(report: BenchmarkReport, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found, delivered_before = dict[int, float](), 0
    with receiver(0) as endpoint:
        register_endpoints(endpoint.url, ENDPOINTS)
        relay = DeliveryRun(endpoint.url, EVENTS, event_data())

        def delivered() -> None:
            if (seen := deliver_due(LIVE, at=live_now(), limit=EVENTS)) != EVENTS:
                raise RuntimeError(f"{seen} of {EVENTS} were delivered.")

        for size in SIZES:
            relay.write(max(size - delivered_before, 0))
            execute_unguarded((_DELIVERED, []), ("VACUUM ANALYZE merchants_webhookdelivery", []))
            before = delivered_before = max(size, delivered_before)
            rounds = list[float]()
            for _ in range(TIMES):
                relay.write()
                rounds.append(microseconds_each(EVENTS, delivered, 1))
                delivered_before += EVENTS
            found[before] = median(rounds)
    report_growth(report, "a delivery", found)


def test_settlement(report: BenchmarkReport, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found = dict[int, float]()
    for size in SIZES:
        shop = busy_shop(size)
        settle_due(shop.realm_id, at=NOON + timedelta(days=1))
        execute_unguarded((_LATER, [LINES, str(shop.merchant.id)]), ("ANALYZE ledger_posting", []))
        found[size] = microseconds_each(LINES, lambda shop=shop: settle_next_day(shop))  # type: ignore[misc]
    report_growth(report, "a settlement's line", found)


def settle_next_day(shop: Shop) -> None:
    with transaction.atomic():
        settle_due(shop.realm_id, at=NOON + timedelta(days=2))
        lines = shop.merchant.settlements.latest("id").lines_count
        transaction.set_rollback(True)
    if lines < LINES:
        raise RuntimeError(f"{lines} of {LINES} postings were settled.")


def test_statement(report: BenchmarkReport, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found = dict[int, float]()
    for size in SIZES:
        shop = make_shop("来电充电宝")
        make_due_order(shop, make_person(shop), yuan("6"))
        deduct_due(shop.realm_id, at=NOON)
        with tempfile.TemporaryFile() as file:
            statements.write_statement(file, shop.realm_id, size)
            file.seek(0)
            started = time.perf_counter()
            done = import_statement(
                "sandbox", file, realm_id=shop.realm_id, day=DAY, layout=DEFAULT_LAYOUT, name="x", by=BY, at=NOON
            )
            found[size] = 1_000_000 * (time.perf_counter() - started) / size
        if (done.lines, done.trouble) != (size, ""):
            raise RuntimeError(f"{done.lines} of {size} lines were read: {done.trouble}")
    report_growth(report, "a statement's line", found)
