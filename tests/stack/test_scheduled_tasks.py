"""With any number of beats, a job runs once a slot; when the slot cannot be claimed, it runs."""

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

from bnpl import heartbeat, scheduled_tasks
from bnpl.celery import app, schedule_entry
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

    def trigger(self, period: float = PERIOD) -> None:
        """Run the task as a worker runs a trigger of beat."""
        self.task.apply(headers=schedule_entry(period, JOB)["options"]["headers"])


@pytest.fixture(autouse=True)
def broker() -> Iterator[redis.Redis]:
    """The broker, empty before and after."""
    with heartbeat.connect_broker() as server:
        server.flushdb()
        yield server
        server.flushdb()


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    made = Job()
    monkeypatch.setattr(scheduled_tasks, "live_now", made.clock)
    yield made
    app.tasks.pop(JOB)


def send_by_beat(period: float) -> None:
    """What a beat of its own sends, by its own code."""
    entry = ScheduleEntry(name=JOB, app=app, **schedule_entry(period, JOB))
    Scheduler(app=app, lazy=True).apply_async(entry)


def run_worker(broker: redis.Redis, job: Job, during: Callable[[], None] = lambda: None) -> int:
    """How often the job runs when a real worker takes what is in the queue."""
    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=PATIENCE_SECONDS):
        during()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while broker.llen("celery") or broker.hlen("unacked"):
            assert time.monotonic() < deadline, "the worker does not come to an end"
            time.sleep(0.02)
    return job.runs


def test_triggers_of_two_beats_in_one_slot_run_once(job: Job, broker: redis.Redis) -> None:
    for _beat in range(2):
        for _trigger in range(3):
            send_by_beat(PERIOD)
    assert broker.llen("celery") == 6
    assert run_worker(broker, job) == 1


def test_a_job_runs_again_in_the_next_slot(job: Job) -> None:
    for seconds in (0, 59, 60, 61, 119, 120):
        job.now = NOON + timedelta(seconds=seconds)
        job.trigger()
    assert job.runs == 3


def test_slots_are_per_job(job: Job) -> None:
    assert scheduled_tasks.claim_slot("another", PERIOD, at=job.now.timestamp())
    job.trigger()
    assert job.runs == 1


def test_a_lost_slot_causes_only_a_second_run(job: Job, broker: redis.Redis) -> None:
    job.trigger()
    broker.flushall()
    job.trigger()
    assert job.runs == 2


def test_a_worker_that_dies_skips_only_its_slot(job: Job) -> None:
    assert scheduled_tasks.claim_slot(JOB, PERIOD, at=job.now.timestamp())  # and is heard of no more
    job.trigger()
    assert job.runs == 0
    job.now += timedelta(seconds=PERIOD)
    job.trigger()
    assert job.runs == 1


def test_without_a_broker_every_trigger_runs_and_is_logged(job: Job, settings: LazySettings) -> None:
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    with capture_logs() as lines:
        job.trigger()
        job.trigger()
    assert job.runs == 2
    assert [line["event"] for line in lines] == ["slot_not_asked_for"] * 2


def test_a_direct_call_always_runs(job: Job) -> None:
    job.trigger()
    job.task()
    job.task.apply()
    assert job.runs == 3


def test_slots_expire_soon_after_their_end(job: Job, broker: redis.Redis) -> None:
    job.trigger()
    (key,) = broker.keys("bnpl:slot:*")
    assert PERIOD * 1000 < broker.pttl(key) <= 2 * PERIOD * 1000


def test_triggers_of_a_slow_job_do_not_pile_up(job: Job, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    period, job.takes = 0.2, 0.5
    monkeypatch.setattr("bnpl.celery.EXPIRES_MIN_SECONDS", 0.3)  # a quarter of a minute, in small
    monkeypatch.setattr(scheduled_tasks, "live_now", lambda: NOON + timedelta(seconds=time.monotonic()))

    def send_ten_periods() -> None:
        for _ in range(10):
            send_by_beat(period)
            time.sleep(period)

    runs = run_worker(broker, job, send_ten_periods)
    assert 2 <= runs <= 6  # about one for each time it has taken, never one for each ring
