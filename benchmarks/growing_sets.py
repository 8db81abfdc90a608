"""What a webhook, a settlement's line and a statement's line take as their tables grow. `make bench`.

GROWN_SETS says among how many (10000,100000,1000000). As many have been delivered or settled before, and what is timed
is the same each time; a statement tells of all. Copied past the guards.
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
from benchmarks.book import Book
from benchmarks.crowd import Crowd
from benchmarks.settling import busy_shop
from benchmarks.weather import QUICK, sized
from benchmarks.webhooks import ENDPOINTS, Relaying, listen, real_data, receiver
from billing.channels.layouts import PLAIN
from billing.services.deduct import deduct_due
from billing.services.reconcile import import_statement
from billing.services.settlement import settle_due
from kernel.clock import live_now
from kernel.models import LIVE
from merchants.services import deliver_due
from tests.conftest import BY, NOON, Shop, completed, make_shop, someone, yuan
from tests.services import services as servers

_WANTED = os.environ.get("GROWN_SETS") or ("500,2000" if QUICK else "10000,100000,1000000")
SIZES = [int(size) for size in _WANTED.split(",")]
DAY = date(2026, 11, 20)
TOLD, LINES, TIMES = sized(3_000, 300), sized(20_000, 500), sized(5, 2)
_DELIVERED = """
UPDATE merchants_webhookdelivery SET state = 'delivered', next_at = NULL, tries = 1, ended_at = created_at
WHERE state = 'pending'
"""
#: A day later as much again was booked for the merchant.
_LATER = """
INSERT INTO ledger_posting SELECT (json_populate_record(p, json_build_object('id', uuidv7(), 'cause_id', uuidv7(),
    'at', p.at + interval '1 day'))).*
FROM ledger_posting p, generate_series(1, %s)
WHERE p.id = (SELECT id FROM ledger_posting WHERE credit_owner = %s AND credit_account = 'payable' ORDER BY id LIMIT 1)
"""


def past_the_guards(*statements_: tuple[str, list[Any]]) -> None:
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for sql, values in statements_:
            cursor.execute(sql, values)


def each_of(units: int, act: Callable[[], object], times: int = TIMES) -> float:
    """Microseconds for one: the median of some rounds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append(1_000_000 * (time.perf_counter() - began) / units)
    return median(took)


def told(book: Book, name: str, found: dict[int, float]) -> None:
    book.growth(f"growth of {name}", "µs", {f"{name}, each": found})
    book.note(f"{name}, µs each: " + ", ".join(f"{size:,}: {value:.1f}" for size, value in found.items()))


def test_webhooks(book: Book, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found, there_are = dict[int, float](), 0
    with receiver(0) as there:
        listen(there.url, ENDPOINTS)
        relay = Relaying(there.url, TOLD, real_data())

        def delivered() -> None:
            if (seen := deliver_due(LIVE, at=live_now(), limit=TOLD)) != TOLD:
                raise RuntimeError(f"{seen} of {TOLD} were delivered.")

        for size in SIZES:
            relay.write(max(size - there_are, 0))
            past_the_guards((_DELIVERED, []), ("VACUUM ANALYZE merchants_webhookdelivery", []))
            before = there_are = max(size, there_are)
            rounds = list[float]()
            for _ in range(TIMES):
                relay.write()
                rounds.append(each_of(TOLD, delivered, 1))
                there_are += TOLD
            found[before] = median(rounds)
    told(book, "a delivery", found)


def test_settlement(book: Book, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found = dict[int, float]()
    for size in SIZES:
        shop = busy_shop(size)
        settle_due(shop.realm_id, at=NOON + timedelta(days=1))
        past_the_guards((_LATER, [LINES, str(shop.merchant.id)]), ("ANALYZE ledger_posting", []))
        found[size] = each_of(LINES, lambda shop=shop: settled_later(shop))  # type: ignore[misc]
    told(book, "a settlement's line", found)


def settled_later(shop: Shop) -> None:
    with transaction.atomic():
        settle_due(shop.realm_id, at=NOON + timedelta(days=2))
        lines = shop.merchant.settlements.latest("id").lines_count
        transaction.set_rollback(True)
    if lines < LINES:
        raise RuntimeError(f"{lines} of {LINES} postings were settled.")


def test_statement(book: Book, crowd: Crowd) -> None:
    assert crowd.realm_id == LIVE
    found = dict[int, float]()
    for size in SIZES:
        shop = make_shop("来电充电宝")
        completed(shop, someone(shop), yuan("6"))
        deduct_due(shop.realm_id, at=NOON)
        with tempfile.TemporaryFile() as file:
            statements.written(file, shop.realm_id, size)
            file.seek(0)
            began = time.perf_counter()
            done = import_statement(
                "sandbox", file, realm_id=shop.realm_id, day=DAY, layout=PLAIN, name="x", by=BY, at=NOON
            )
            found[size] = 1_000_000 * (time.perf_counter() - began) / size
        if (done.lines, done.trouble) != (size, ""):
            raise RuntimeError(f"{done.lines} of {size} lines were read: {done.trouble}")
    told(book, "a statement's line", found)
