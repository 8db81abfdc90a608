"""Ledger postings, one a transaction and in bulk, beside django-hordak. `make bench`.

Both are double-entry ledgers on the same PostgreSQL, whose rows balance by themselves or by a trigger.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from uuid import UUID

import pytest
from django.db import connection, transaction

from benchmarks.baseline_server import Baseline, create_baseline
from benchmarks.crowd import Crowd
from benchmarks.load_clients import postgres_pid
from benchmarks.measurement import Measurement, measure, rates_by_side, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from kernel.clock import live_now
from kernel.ids import uuid7
from kernel.models import LIVE
from kernel.money import Money
from ledger import accounts
from ledger import services as ledger
from ledger.services import JournalEntry

MANY, THEIRS, BULK = scaled(16_000, 800), scaled(4_000, 400), 500
BULK_MANY, BULK_THEIRS = scaled(40_000, 1_000), scaled(10_000, 1_000)
CONCURRENCY = 8
_OWNER = UUID(int=7)
_SIX = Money(600, "CNY")


@pytest.fixture(scope="module")
def hordak() -> Baseline:
    if find_spec("hordak") is None:
        pytest.skip("django-hordak is not installed: make .venv/.bench")
    return create_baseline(1, name="hordak")


def top_ups(count: int) -> list[JournalEntry]:
    """Journal entries of top-ups of six yuan."""
    transfer = accounts.Move(accounts.clearing("sandbox"), accounts.wallet(_OWNER), _SIX)
    return [JournalEntry(uuid7(), "topped_up", [transfer]) for _ in range(count)]


def one_by_one(many: int) -> int:
    """One posting a transaction, in eight threads."""

    def some(count: int) -> None:
        for fact in top_ups(count):
            with transaction.atomic():
                ledger.post([fact], realm_id=LIVE, at=live_now())
        connection.close()

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        list(threads.map(some, [many // CONCURRENCY] * CONCURRENCY))
    return many


def in_bulk(many: int) -> int:
    for _ in range(many // BULK):
        with transaction.atomic():
            ledger.post(top_ups(BULK), realm_id=LIVE, at=live_now())
    return many


def theirs(hordak: Baseline, many: int, bulk: int) -> Measurement:
    result = json.loads(hordak.run("benchmarks.baselines.hordak_book", str(many), str(CONCURRENCY), str(bulk)))
    return Measurement(result["units"], result["seconds"], {"worker": result["cpu"]})


@pytest.mark.usefixtures("crowd")
def test_one_by_one(report: BenchmarkReport, hordak: Baseline) -> None:
    pids = {"worker": 0, "database": postgres_pid()}
    ours = {"ours": lambda: measure(lambda: one_by_one(MANY), pids)}
    compare(report, "7 postings, one by one", ours | {"django-hordak": lambda: theirs(hordak, THEIRS, 0)})


def test_in_bulk(report: BenchmarkReport, crowd: Crowd, hordak: Baseline) -> None:
    assert crowd.realm_id == LIVE
    pids = {"worker": 0, "database": postgres_pid()}
    ours = {"ours": lambda: measure(lambda: in_bulk(BULK_MANY), pids)}
    compare(report, "7 postings, bulk", ours | {"django-hordak": lambda: theirs(hordak, BULK_THEIRS, BULK)})


def compare(report: BenchmarkReport, name: str, sides: dict[str, Callable[[], Measurement]]) -> None:
    done = run_in_turn(sides)
    rate = rates_by_side(done)
    report.ratio(name, rate["ours"], rate["django-hordak"], "/s", rate)
    for side, measurements in done.items():
        report.note(f"{name[2:]}, {side}: {measurements[-1]}")
