"""Webhooks: events leave for merchants, beside an outbox that is sent row by row. `make bench`."""

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

from benchmarks.asking import postgres
from benchmarks.book import Book
from benchmarks.naive_house import Naive, furnish
from benchmarks.weather import Work, in_turn, measured, paces, sized
from kernel.clock import live_now
from kernel.models import LIVE
from merchants import services as merchants
from merchants.models import Event, WebhookDelivery, WebhookEndpoint
from merchants.services.deliver import deliver_everywhere
from tests.conftest import BY, NOON, make_shop, opened, someone
from tests.services import services as servers

#: Endpoints, each of another merchant; and how many events a round has, the baseline's with both kinds of receivers.
ENDPOINTS, MANY = 30, sized(6_000, 600)
FAST, SLOW = ("6 webhooks, fast receivers", 0.0, sized(600, 100)), ("6 webhooks, 50 ms receivers", 0.05, sized(100, 20))
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
    """Somebody who answers after a while, and somebody who never does."""

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
def naive() -> Naive:
    return furnish(10)


@pytest.fixture(scope="module")
def data(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    with django_db_blocker.unblock():
        yield real_data()


def real_data() -> dict[str, Any]:
    """What is told: a real event's content."""
    shop = make_shop("来电充电宝")
    opened(shop, someone(shop))
    data: dict[str, Any] = Event.objects.filter(merchant=shop.merchant).latest("id").data
    return data


def listen(url: str, endpoints: int) -> None:
    """So many merchants hear of everything at this address from now on, and nobody else does."""
    WebhookEndpoint.objects.exclude(state="removed").update(state="removed", removed_at=NOON)
    for place in range(endpoints):
        _, live = merchants.join_merchant(f"商户{place}", by=BY, at=NOON)
        merchants.add_endpoint(live.id, url, by=BY, at=NOON)


class Relaying:
    """So many events on their way, delivered as the ring does it."""

    def __init__(self, url: str, many: int, data: dict[str, Any], dead_url: str = "") -> None:
        self.url, self.many, self.data, self.dead_url = url, many, data, dead_url

    def write(self, many: int | None = None) -> None:
        """So many events are on their way."""
        self._write(self.url, self.many if many is None else many)

    def __call__(self) -> Work:
        self.write()
        self.turn, self.done, self.rings = threading.Lock(), threading.Event(), list[threading.Thread]()
        if self.dead_url:
            self._write(self.dead_url, 50)
            self.rings.append(threading.Thread(target=self._ring, kwargs={"troubled": True, "turn": threading.Lock()}))
            self.rings[0].start()
        work = measured(self._deliver, {"worker": 0, "database": postgres()})
        for ring in self.rings:
            ring.join()
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
        """As the rings do it: while one waits for what it has under way, the next takes up."""
        rings = [threading.Thread(target=self._ring, kwargs={"troubled": False, "turn": self.turn}) for _ in range(2)]
        for ring in rings:
            ring.start()
        mine = WebhookDelivery.objects.filter(endpoint__url=self.url)
        while mine.filter(state="pending").exists():
            time.sleep(0.02)
        self.done.set()
        done = mine.filter(state="delivered").count()
        self.rings += rings
        if done != self.many:
            raise RuntimeError(f"{done} of {self.many} were delivered.")
        return done

    def _ring(self, *, troubled: bool, turn: threading.Lock) -> None:
        try:
            while not self.done.is_set():
                deliver_everywhere(lambda: {LIVE: live_now()}, troubled=troubled, turn=turn)
                self.done.wait(1.0 if troubled else 0.05)  # of those in trouble one ring a second, as in life
        finally:
            connection.close()


def row_by_row(naive: Naive, many: int, url: str) -> Work:
    told = json.loads(naive.run("benchmarks.baselines.relay", str(many), url))
    return Work(told["units"], told["seconds"], {"worker": told["cpu"]})


@pytest.mark.parametrize(("name", "pause", "theirs"), [FAST, SLOW])
def test_relaying(name: str, pause: float, theirs: int, book: Book, naive: Naive, data: dict[str, Any]) -> None:  # noqa: PLR0917
    with receiver(pause) as there:
        listen(there.url, ENDPOINTS)
        ours = Relaying(there.url, MANY, data)
        done = in_turn({"ours": ours, "row by row": lambda: row_by_row(naive, theirs, there.url)})
    pace = paces(done)
    book.ratio(name, pace["ours"], pace["row by row"], "/s", pace)
    for side, works in done.items():
        book.note(f"{name[2:]}, {side}: {works[-1]}")


def test_beside_a_dead_endpoint(book: Book, data: dict[str, Any]) -> None:
    with receiver(0) as there:
        listen(there.url, ENDPOINTS)
        _, live = merchants.join_merchant("不应答", by=BY, at=NOON)
        merchants.add_endpoint(live.id, there.dead_url, by=BY, at=NOON)
        alone, beside = Relaying(there.url, MANY, data), Relaying(there.url, MANY, data, there.dead_url)
        done = in_turn({"alone": alone, "beside": beside})
    pace = paces(done)
    lost = [1 - with_ / without for with_, without in zip(pace["beside"], pace["alone"], strict=True)]
    book.write("6 webhooks, beside a dead endpoint", lost, "", {"share lost": lost})
