"""Any number of beats may ring: a job runs once a slot, and always when nobody can say whose turn it is."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from celery.beat import ScheduleEntry, Scheduler
from celery.contrib.testing.worker import start_worker
from django.conf import LazySettings
from structlog.testing import capture_logs

from bnpl import heartbeat, rings
from bnpl.celery import app, every
from tests.conftest import NOON

JOB, PERIOD = "tests.stack.ring", 60.0
PATIENCE_SECONDS = 10.0


class Job:
    """A job that counts its runs, on a worker's clock that the test moves."""

    def __init__(self) -> None:
        self.runs, self.takes, self.now = 0, 0.0, NOON
        self.task: Any = app.task(name=JOB, typing=False)(self.work)

    def work(self) -> None:
        self.runs += 1
        time.sleep(self.takes)

    def clock(self) -> datetime:
        return self.now

    def ring(self, period: float = PERIOD) -> None:
        """A ring as a worker meets it, without the way there."""
        self.task.apply(headers=every(period, JOB)["options"]["headers"])


@pytest.fixture(autouse=True)
def broker() -> Iterator[redis.Redis]:
    """The doorbell's memory, empty before and after."""
    with heartbeat.broker() as server:
        server.flushdb()
        yield server
        server.flushdb()


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    made = Job()
    monkeypatch.setattr(rings, "live_now", made.clock)
    yield made
    app.tasks.pop(JOB)


def rung_by_a_beat(period: float) -> None:
    """What a beat of its own sends, by its own code."""
    entry = ScheduleEntry(name=JOB, app=app, **every(period, JOB))
    Scheduler(app=app, lazy=True).apply_async(entry)


def worked_off(broker: redis.Redis, job: Job, during: Callable[[], None] = lambda: None) -> int:
    """How often the job runs when a real worker takes what is in the queue."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=PATIENCE_SECONDS):
        during()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while broker.llen("celery") or broker.hlen("unacked"):
            assert time.monotonic() < deadline, "the worker does not come to an end"
            time.sleep(0.02)
    return job.runs


def test_the_rings_of_two_beats_in_one_slot_run_once(job: Job, broker: redis.Redis) -> None:
    for _beat in range(2):
        for _ring in range(3):
            rung_by_a_beat(PERIOD)
    assert broker.llen("celery") == 6
    assert worked_off(broker, job) == 1


def test_the_next_slot_is_another(job: Job) -> None:
    for seconds in (0, 59, 60, 61, 119, 120):
        job.now = NOON + timedelta(seconds=seconds)
        job.ring()
    assert job.runs == 3


def test_each_job_has_slots_of_its_own(job: Job) -> None:
    assert rings.first("another", PERIOD, at=job.now.timestamp())
    job.ring()
    assert job.runs == 1


def test_a_slot_that_is_lost_costs_nothing_but_a_second_run(job: Job, broker: redis.Redis) -> None:
    job.ring()
    broker.flushall()
    job.ring()
    assert job.runs == 2


def test_whoever_dies_with_a_slot_in_hand_costs_that_slot_alone(job: Job) -> None:
    assert rings.first(JOB, PERIOD, at=job.now.timestamp())  # and is heard of no more
    job.ring()
    assert job.runs == 0
    job.now += timedelta(seconds=PERIOD)
    job.ring()
    assert job.runs == 1


def test_without_a_broker_every_ring_runs_and_says_so(job: Job, settings: LazySettings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    with capture_logs() as lines:
        job.ring()
        job.ring()
    assert job.runs == 2
    assert [line["event"] for line in lines] == ["slot_not_asked_for"] * 2


def test_a_call_that_is_no_ring_always_runs(job: Job) -> None:
    job.ring()
    job.task()
    job.task.apply()
    assert job.runs == 3


def test_a_slot_is_forgotten_soon_after_its_end(job: Job, broker: redis.Redis) -> None:
    job.ring()
    (key,) = broker.keys("bnpl:slot:*")
    assert PERIOD * 1000 < broker.pttl(key) <= 2 * PERIOD * 1000


def test_the_rings_of_a_sweep_that_outlasts_its_period_do_not_pile_up(
    job: Job, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    period, job.takes = 0.2, 0.5
    monkeypatch.setattr("bnpl.celery.LIVES_SECONDS", 0.3)  # a quarter of a minute, in small
    monkeypatch.setattr(rings, "live_now", lambda: NOON + timedelta(seconds=time.monotonic()))

    def ten_periods_pass() -> None:
        for _ in range(10):
            rung_by_a_beat(period)
            time.sleep(period)

    runs = worked_off(broker, job, ten_periods_pass)
    assert 2 <= runs <= 6  # about one for each time it has taken, never one for each ring
