"""Webhook delivery, beside an outbox that is sent row by row. `make bench`."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from benchmarks.baseline_server import Baseline, create_baseline
from benchmarks.load_clients import postgres_pid
from benchmarks.measurement import Measurement, measure, rates_by_side, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from kernel.clock import live_now
from kernel.models import LIVE
from merchants import services as merchants
from merchants.models import Event, WebhookDelivery, WebhookEndpoint
from merchants.services.deliver import deliver_all_realms
from tests.conftest import BY, NOON, make_agreement, make_person, make_shop
from tests.services import services as servers

#: Endpoints, each of another merchant; and how many events a round has, the baseline's with both kinds of receivers.
ENDPOINTS, MANY = 30, scaled(6_000, 600)
FAST, SLOW = (
    ("6 webhooks, fast receivers", 0.0, scaled(600, 100)),
    ("6 webhooks, 50 ms receivers", 0.05, scaled(100, 20)),
)
#: One event and its delivery, copied for every endpoint in turn.
_MANY = """
WITH ends AS (SELECT id, merchant_id, realm_id, row_number() OVER (ORDER BY id) - 1 AS place
              FROM merchants_webhookendpoint WHERE url = %(url)s),
     made AS (SELECT uuidv7() AS event, uuidv7() AS delivery, e.id AS endpoint, e.merchant_id, e.realm_id
              FROM generate_series(1, %(count)s) n JOIN ends e ON e.place = n %% (SELECT count(*) FROM ends)),
     told AS (INSERT INTO merchants_event (id, realm_id, merchant_id, type, subject_id, sequence, data, at, request_id)
              SELECT event, realm_id, merchant_id, 'order.deducted', event, 1, %(data)s::jsonb, %(at)s, '' FROM made
              RETURNING id)
INSERT INTO merchants_webhookdelivery (id, realm_id, endpoint_id, event_id, state, reason, tries, next_at,
    created_at)
SELECT delivery, realm_id, endpoint, event, 'pending', '', 0, %(at)s, %(at)s FROM made
"""


@dataclass(slots=True)
class Receiver:
    """The URLs of a receiver that responds after a delay, and of one that never does."""

    url: str
    dead_url: str


@contextmanager
def receiver(pause: float) -> Iterator[Receiver]:
    argv = [sys.executable, "-m", "benchmarks.receiver", str(pause)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as running:
        try:
            ports = (running.stdout.readline() if running.stdout else "").split()
            yield Receiver(*(f"http://127.0.0.1:{port}/hooks" for port in ports))
        finally:
            running.kill()


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return create_baseline(10)


@pytest.fixture(scope="module")
def data(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    with django_db_blocker.unblock():
        yield event_data()


def event_data() -> dict[str, Any]:
    """The data of a real event."""
    shop = make_shop("来电充电宝")
    make_agreement(shop, make_person(shop))
    data: dict[str, Any] = Event.objects.filter(merchant=shop.merchant).latest("id").data
    return data


def register_endpoints(url: str, endpoints: int) -> None:
    """Create merchants with an endpoint for all events at this URL, and remove all other endpoints."""
    WebhookEndpoint.objects.exclude(state="removed").update(state="removed", removed_at=NOON)
    for place in range(endpoints):
        _, live = merchants.join_merchant(f"商户{place}", by=BY, at=NOON)
        merchants.add_endpoint(live.id, url, by=BY, at=NOON)


class DeliveryRun:
    """Pending events, delivered as the scheduled job does it."""

    def __init__(self, url: str, many: int, data: dict[str, Any], dead_url: str = "") -> None:
        self.url, self.many, self.data, self.dead_url = url, many, data, dead_url

    def write(self, many: int | None = None) -> None:
        """Insert pending deliveries."""
        self._write(self.url, self.many if many is None else many)

    def __call__(self) -> Measurement:
        self.write()
        self.turn, self.done, self.threads = threading.Lock(), threading.Event(), list[threading.Thread]()
        if self.dead_url:
            self._write(self.dead_url, 50)
            self.threads.append(
                threading.Thread(target=self._deliver_repeatedly, kwargs={"failing": True, "turn": threading.Lock()})
            )
            self.threads[0].start()
        work = measure(self._deliver, {"worker": 0, "database": postgres_pid()})
        for thread in self.threads:
            thread.join()
        with servers.superuser() as superuser, superuser.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute("TRUNCATE merchants_webhookattempt, merchants_webhookdelivery")
        return work

    def _write(self, url: str, count: int) -> None:
        with servers.superuser() as superuser, superuser.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(_MANY, {"url": url, "count": count, "at": live_now(), "data": json.dumps(self.data)})
            cursor.execute("ANALYZE merchants_webhookdelivery")

    def _deliver(self) -> int:
        """As the scheduled jobs do: while one waits for its requests, the next claims deliveries."""
        threads = [
            threading.Thread(target=self._deliver_repeatedly, kwargs={"failing": False, "turn": self.turn})
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        mine = WebhookDelivery.objects.filter(endpoint__url=self.url)
        while mine.filter(state="pending").exists():
            time.sleep(0.02)
        self.done.set()
        done = mine.filter(state="delivered").count()
        self.threads += threads
        if done != self.many:
            raise RuntimeError(f"{done} of {self.many} were delivered.")
        return done

    def _deliver_repeatedly(self, *, failing: bool, turn: threading.Lock) -> None:
        try:
            while not self.done.is_set():
                deliver_all_realms(lambda: {LIVE: live_now()}, failing=failing, claim_lock=turn)
                self.done.wait(1.0 if failing else 0.05)  # failing endpoints once a second, as scheduled
        finally:
            connection.close()


def run_baseline_relay(baseline: Baseline, many: int, url: str) -> Measurement:
    result = json.loads(baseline.run("benchmarks.baselines.relay", str(many), url))
    return Measurement(result["units"], result["seconds"], {"worker": result["cpu"]})


@pytest.mark.parametrize(("name", "pause", "theirs"), [FAST, SLOW])
def test_delivery(  # noqa: PLR0917
    name: str, pause: float, theirs: int, report: BenchmarkReport, baseline: Baseline, data: dict[str, Any]
) -> None:
    with receiver(pause) as endpoint:
        register_endpoints(endpoint.url, ENDPOINTS)
        ours = DeliveryRun(endpoint.url, MANY, data)
        done = run_in_turn({"ours": ours, "row by row": lambda: run_baseline_relay(baseline, theirs, endpoint.url)})
    rate = rates_by_side(done)
    report.ratio(name, rate["ours"], rate["row by row"], "/s", rate)
    for side, measurements in done.items():
        report.note(f"{name[2:]}, {side}: {measurements[-1]}")


def test_beside_a_dead_endpoint(report: BenchmarkReport, data: dict[str, Any]) -> None:
    with receiver(0) as endpoint:
        register_endpoints(endpoint.url, ENDPOINTS)
        _, live = merchants.join_merchant("不应答", by=BY, at=NOON)
        merchants.add_endpoint(live.id, endpoint.dead_url, by=BY, at=NOON)
        alone, beside = DeliveryRun(endpoint.url, MANY, data), DeliveryRun(endpoint.url, MANY, data, endpoint.dead_url)
        done = run_in_turn({"alone": alone, "beside": beside})
    rate = rates_by_side(done)
    lost = [1 - with_ / without for with_, without in zip(rate["beside"], rate["alone"], strict=True)]
    report.write("6 webhooks, beside a dead endpoint", lost, "", {"share lost": lost})
