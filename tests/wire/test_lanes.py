"""Lanes of the gateway: which requests are admitted, which wait, and which are refused how soon."""

import asyncio
import gc
import json
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bnpl import gateway, lanes
from bnpl.gateway import Gateway, GatewayResponse
from bnpl.lanes import Lane, LaneLimits
from tests.threads import run_async
from tests.wire.test_gateway import Protocol, Scope, refused

API = r"\S+ /v1/"


class Slow:
    """An application that answers when it is let."""

    def __init__(self) -> None:
        self.open, self.begun = threading.Event(), 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        if environ["PATH_INFO"].startswith("/v1/"):
            self.begun += 1
            assert self.open.wait(10)
        start("200 OK", [])
        return [b""]


def test_a_full_lane_refuses_at_once_and_does_not_affect_others(monkeypatch: pytest.MonkeyPatch) -> None:
    size = LaneLimits(concurrency=2, queue_size=3, wait_seconds=30, sustained_wait_seconds=30)
    monkeypatch.setitem(gateway.LANES_BY_PATH, API, ("api", size))
    app = Slow()

    async def flood() -> tuple[list[GatewayResponse], list[GatewayResponse], list[GatewayResponse]]:
        house = Gateway(app)
        crowd = [asyncio.create_task(house.respond(Scope(), Protocol())) for _ in range(20)]
        await asyncio.sleep(0.2)
        early = [task.result() for task in crowd if task.done()]
        people = [await house.respond(Scope(path="/orders/"), Protocol()) for _ in range(3)]
        probes = [await house.respond(Scope(path="/healthz"), Protocol())]
        app.open.set()
        return early, await asyncio.gather(*crowd), [*people, *probes]

    early, everybody, others = run_async(flood())
    assert 15 <= len(early) <= 17  # two at work, three waiting; some entered while the first two were taken up
    for answer in early:
        refused(answer, 503, "overloaded")
        assert dict(answer.headers)["Retry-After"] == "1"
    assert sorted(answer.status for answer in everybody) == [200] * (20 - len(early)) + [503] * len(early)
    assert app.begun == 20 - len(early)
    assert [answer.status for answer in others] == [200] * 4


def test_while_every_thread_is_stuck_those_who_wait_are_turned_away_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        gateway.LANES_BY_PATH,
        API,
        ("api", LaneLimits(concurrency=2, queue_size=9, wait_seconds=0.3, sustained_wait_seconds=0.3)),
    )
    app = Slow()

    async def stand_still() -> tuple[list[GatewayResponse], Lane, list[GatewayResponse]]:
        house = Gateway(app)
        lane = house.lanes["api"]
        crowd = [asyncio.create_task(house.respond(Scope(), Protocol())) for _ in range(6)]
        gone, stuck = await asyncio.wait(crowd, timeout=2)
        assert (lane.queued, lane.running) == (0, 2)
        app.open.set()
        later = await house.respond(Scope(), Protocol())
        return [task.result() for task in gone], lane, [later, *await asyncio.gather(*stuck)]

    turned_away, lane, done = run_async(stand_still())
    lane.threads.shutdown()  # a thread leaves the lane a moment after its answer went
    for answer in turned_away:
        refused(answer, 503, "overloaded")
    assert (len(turned_away), lane.shed) == (4, 4)
    assert [answer.status for answer in done] == [200, 200, 200]
    assert app.begun == 3
    assert (lane.queued, lane.running) == (0, 0)


def test_what_has_waited_for_too_long_is_turned_away_unbegun_and_sooner_when_the_queue_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    lane = Lane("test", LaneLimits(concurrency=1, queue_size=10, wait_seconds=0.3, sustained_wait_seconds=0.0))
    gate = threading.Event()
    assert lane.enter(lambda: done.append(str(gate.wait(5))), lambda: None)
    time.sleep(0.05)
    assert lane.enter(lambda: done.append("late"), lambda: done.append("turned away"))
    time.sleep(0.35)
    assert lane.enter(lambda: done.append("on time"), lambda: done.append("turned away too soon"))
    gate.set()
    lane.threads.shutdown()
    assert done == ["True", "turned away", "on time"]

    monkeypatch.setattr(lanes, "BURST_SECONDS", 0.0)
    lane = Lane("test", LaneLimits(concurrency=1, queue_size=10, wait_seconds=30, sustained_wait_seconds=0.2))
    done, gate = [], threading.Event()
    assert lane.enter(lambda: done.append(str(gate.wait(5))), lambda: None)
    time.sleep(0.05)
    for _ in range(2):
        assert lane.enter(lambda: done.append("begun"), lambda: done.append("turned away"))
    time.sleep(0.3)
    gate.set()
    lane.threads.shutdown()
    assert done == ["True", "turned away", "turned away"]
    assert lane.shed == 2


def test_whoever_would_wait_too_long_by_how_long_work_took_lately_is_told_so_at_once() -> None:
    lane = Lane("test", LaneLimits(concurrency=1, queue_size=100, wait_seconds=0.5, sustained_wait_seconds=0.5))
    for _ in range(5):
        assert lane.enter(lambda: time.sleep(0.02), lambda: None)
        time.sleep(0.04)
    assert 0.005 < lane.average_seconds < 0.2
    lane.average_seconds, gate = 0.2, threading.Event()
    assert lane.enter(lambda: gate.wait(5) and None, lambda: None)
    time.sleep(0.05)
    entered = [lane.enter(lambda: None, lambda: None) for _ in range(6)]
    assert [bool(place) for place in entered] == [True, True, True, False, False, False]
    gate.set()
    lane.threads.shutdown()
    assert lane.shed == 3


def test_pings_that_wait_for_one_merchants_server_leave_everybody_else_theirs() -> None:
    class Silent(Slow):
        def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
            if environ["PATH_INFO"].endswith("/ping"):
                return super().__call__(environ, start)
            start("200 OK", [])
            return [b""]

    app = Silent()

    async def beside() -> tuple[list[GatewayResponse], list[GatewayResponse]]:
        house = Gateway(app)
        address = "/v1/webhook_endpoints/whe_x/ping"
        pings = [asyncio.create_task(house.respond(Scope(path=address), Protocol())) for _ in range(8)]
        await asyncio.sleep(0.1)
        others = [await house.respond(Scope(path="/v1/orders"), Protocol()) for _ in range(20)]
        app.open.set()
        return others, await asyncio.gather(*pings)

    others, pings = run_async(beside())
    assert [answer.status for answer in others] == [200] * 20
    assert [answer.status for answer in pings] == [200] * 8


@pytest.mark.parametrize(
    ("asked", "lane"),
    [
        ("GET /v1/orders", "api"),
        ("M-SEARCH /v1/orders", "api"),
        ("POST /v1/sandbox/clock/advance", "sandbox"),
        ("POST /merchant/mer_x/sandbox/clock/advance", "sandbox"),
        ("GET /merchant/mer_x/sandbox/", "pages"),
        ("POST /v1/webhook_endpoints", "outward"),
        ("GET /v1/webhook_endpoints", "api"),
        ("PATCH /v1/webhook_endpoints/whe_x", "outward"),
        ("DELETE /v1/webhook_endpoints/whe_x", "api"),
        ("POST /v1/webhook_endpoints/whe_x/redeliver", "api"),
        ("POST /merchant/mer_x/webhooks/new", "outward"),
        ("POST /merchant/mer_x/webhooks/whe_x/change", "outward"),
        ("POST /merchant/mer_x/webhooks/whe_x/ping", "outward"),
        ("GET /merchant/mer_x/webhooks/whe_x/ping", "pages"),
        ("GET /merchant/mer_x/orders/export.csv", "papers"),
        ("GET /merchant/mer_x/settlements/stl_x/statement.pdf", "papers"),
        ("GET /orders/ord_x/receipt.pdf", "papers"),
        ("GET /settings/proofs/prf_x/pdf", "papers"),
        ("POST /channels/bank", "channels"),
        ("GET /readyz", "probes"),
        ("GET /metrics", "probes"),
        ("GET /readyz/", "pages"),
        ("GET /", "pages"),
    ],
)
def test_what_takes_long_waits_where_nobody_else_does(asked: str, lane: str) -> None:
    assert Gateway(Slow()).lane_of(*asked.split()).name == lane


def test_that_a_process_answers_is_said_without_a_thread() -> None:
    house = Gateway(Slow())
    for lane in house.lanes.values():
        lane.threads.shutdown()
    answer = run_async(house.respond(Scope(path="/healthz", method="GET"), Protocol()))
    assert (answer.status, json.loads(answer.body)) == (200, {"alive": True})
    assert dict(answer.headers)["Cache-Control"] == "no-store"


def test_what_left_a_stuck_lane_is_kept_in_memory_no_longer() -> None:
    lane, stuck = Lane("stuck", LaneLimits(1, 4, 1.0, 1.0)), threading.Event()
    assert lane.enter(stuck.wait, lambda: None)
    bodies = weakref.WeakSet[Body]()
    for _ in range(10):
        body = Body()
        bodies.add(body)
        ticket = lane.enter(partial(repr, body), lambda: None)
        assert ticket
        lane.leave(ticket, lambda: None)
    del body
    gc.collect()
    assert not bodies
    stuck.set()


class Body:
    """Stands for the body of a request."""


def test_a_request_for_which_the_system_has_no_thread_is_refused_and_not_counted_as_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane("threadless", LaneLimits(1, 4, 1.0, 1.0))

    def no_thread() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(lane.threads, "_adjust_thread_count", no_thread)
    assert [lane.enter(lambda: None, lambda: None) for _ in range(6)] == [None] * 6
    assert (lane.queued, lane.shed) == (0, 6)
