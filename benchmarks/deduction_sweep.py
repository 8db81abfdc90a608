"""The deduction sweep from claim to events, beside one task for each obligation. `make bench`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.db import connection

from benchmarks.baseline_server import Baseline, create_baseline
from benchmarks.crowd import Crowd, number_of
from benchmarks.load_clients import postgres_pid
from benchmarks.measurement import ROUNDS, Measurement, measure, rates_by_side, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from billing import channels
from billing.channels import ChargeRequest, Succeeded
from billing.services.deduct import SWEEP
from kernel.clock import live_now
from kernel.models import LIVE
from tests.services import services as servers
from tests.simulation.order_copies import OrderCopy, make_orders

#: Orders a round with an instant and with a slow channel, ours and the baseline's.
MANY, SLOW_MANY = scaled(20_000, 600), scaled(8_000, 400)
THEIRS, THEIRS_SLOW = scaled(600, 60), scaled(120, 20)
PAUSE = 0.05
_OWED_MINOR = 500


class InstantChannel:
    """A channel whose charges all succeed after a pause, many in parallel, as over HTTP."""

    name = "sandbox"
    finality, min_queries, max_parallel_calls = timedelta(), 1, 200

    def __init__(self, pause: float) -> None:
        self.pause = pause

    def charge(self, request: ChargeRequest) -> Succeeded:
        if self.pause:
            time.sleep(self.pause)
        return Succeeded(uuid4().hex, request.amount)


@contextmanager
def fake_channel(pause: float) -> Iterator[None]:
    instant: Any = InstantChannel(pause)
    with mock.patch.dict(channels.CHANNELS, {instant.name: instant}):
        yield


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return create_baseline(max(THEIRS, THEIRS_SLOW))


class SweepRun:
    """Obligations made due, then swept as the scheduled job does it."""

    numbers = count(1)

    def __init__(self, crowd: Crowd, many: int, pause: float) -> None:
        self.crowd, self.many, self.pause = crowd, min(many, crowd.people), pause
        self.sql_shares: list[float] = []

    def __call__(self) -> Measurement:
        self.create_due_obligations()
        spent: list[float] = []

        def clocked(execute: Callable[..., Any], *how: Any) -> Any:
            started = time.perf_counter()
            try:
                return execute(*how)
            finally:
                spent.append(time.perf_counter() - started)

        with fake_channel(self.pause), connection.execute_wrapper(clocked):
            work = measure(self.sweep, {"worker": 0, "database": postgres_pid()})
        self.sql_shares.append(sum(spent) / work.seconds)
        return work

    def create_due_obligations(self) -> None:
        at = live_now().replace(microsecond=0)
        uses = [self._use(place, at) for place in range(self.many)]
        make_orders(self.crowd.pattern, uses)
        with servers.superuser() as superuser, superuser.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _use(self, place: int, at: datetime) -> OrderCopy:
        number, person = next(self.numbers), number_of(place)
        opened, due = at - timedelta(hours=3), at - timedelta(seconds=1)
        return OrderCopy(number, person, person, opened, total_minor=_OWED_MINOR, completed_at=opened, due_at=due)

    def sweep(self) -> int:
        seen = 0
        while done := SWEEP.run_batch(LIVE, live_now(), SWEEP.batch_size):
            seen += done
        if seen != self.many:
            raise RuntimeError(f"{self.many} were due, and {seen} were seen to.")
        return seen


def run_baseline_sweep(baseline: Baseline, many: int, pause: float) -> Measurement:
    result = json.loads(baseline.run("benchmarks.baselines.sweep", str(many), str(pause)))
    return Measurement(result["units"], result["seconds"], {"worker": result["cpu"]})


def test_the_instant_channel(report: BenchmarkReport, crowd: Crowd, baseline: Baseline) -> None:
    sweep = SweepRun(crowd, MANY, 0)
    done = run_in_turn({"ours": sweep, "one task each": lambda: run_baseline_sweep(baseline, THEIRS, 0)})
    rate = rates_by_side(done)
    report.ratio("4 sweep, instant channel", rate["ours"], rate["one task each"], "/s", rate)
    report.write("4 sweep, instant channel, SQL", sweep.sql_shares[-ROUNDS:])
    for name, measurements in done.items():
        report.note(f"sweep, {name}: {measurements[-1]}")


def test_the_slow_channel(report: BenchmarkReport, crowd: Crowd, baseline: Baseline) -> None:
    sweep = SweepRun(crowd, SLOW_MANY, PAUSE)
    done = run_in_turn({"ours": sweep, "one task each": lambda: run_baseline_sweep(baseline, THEIRS_SLOW, PAUSE)})
    rate = rates_by_side(done)
    report.ratio("4 sweep, 50 ms channel", rate["ours"], rate["one task each"], "/s", rate)
