"""Flame graphs of operations with performance goals: `make bench-flames` writes docs/pictures/flames-*.svg.

The time inside PostgreSQL (benchmarks.postgres_profile) is written to benchmarks/results/inside.json.
"""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import transaction
from django.test import Client

from benchmarks.crowd import Crowd
from benchmarks.deduction_sweep import SweepRun, fake_channel
from benchmarks.growth_requests import create_order, post_json
from benchmarks.measurement import scaled
from benchmarks.orders_http import open_orders
from benchmarks.postgres_profile import PostgresProfile, explain_statements
from benchmarks.postings import BULK, top_ups
from benchmarks.profiler import profiled, save_flame_graph
from kernel.clock import live_now
from kernel.models import LIVE
from ledger import services as ledger

CREATES, GETS, LISTS, ENDS = scaled(1_500, 60), scaled(3_000, 120), scaled(1_500, 60), scaled(1_000, 40)
OWED, POSTINGS = scaled(6_000, 200), scaled(4_000, 100)
#: How many of each run under auto_explain, which slows them down.
EXPLAINED = scaled(300, 20)


def profile_repeatedly(name: str, act: Callable[[], object], times: int) -> None:
    """Warm up, then profile this many repetitions."""
    for _ in range(times // 10):
        act()
    with profiled(name) as flame:
        for _ in range(times):
            act()
    save_flame_graph(flame, f"{1000 * flame.seconds / times:.2f} ms each, waiting included")


def explain(profile: PostgresProfile, name: str, act: Callable[[], object], times: int, units: int = 0) -> None:
    act()
    with explain_statements() as log:
        for _ in range(times):
            act()
    profile.write(name, log, units or times)


def test_sweep(crowd: Crowd, profile: PostgresProfile) -> None:
    sweep = SweepRun(crowd, OWED, 0)
    sweep()
    sweep.create_due_obligations()
    with fake_channel(0), profiled("sweep") as flame:
        sweep.sweep()
    save_flame_graph(flame, f"{1000 * flame.seconds / sweep.many:.2f} ms for each obligation, waiting included")
    sweep.create_due_obligations()
    with fake_channel(0), explain_statements() as log:
        sweep.sweep()
    profile.write("an obligation of a sweep", log, sweep.many)


def test_orders(crowd: Crowd, profile: PostgresProfile) -> None:
    client: Any = Client()
    made: list[str] = []

    def create() -> None:
        answer = create_order(client, crowd)
        assert answer.status_code == 201, answer.content
        made.append(json.loads(answer.content)["id"])

    turns = count()

    def get() -> None:
        answer = client.get(f"/v1/orders/{made[next(turns) % len(made)]}", **key)
        assert answer.status_code == 200, answer.content

    def list_() -> None:
        answer = client.get("/v1/orders", **key)
        assert answer.status_code == 200, answer.content

    def complete() -> None:
        answer = post_json(client, crowd, f"/v1/orders/{next(orders)}/complete", {"total": 60})
        assert answer.status_code == 200, answer.content

    key = {"HTTP_AUTHORIZATION": f"Bearer {crowd.secret}"}
    orders = iter(open_orders(crowd, 2 * ENDS + 2 * EXPLAINED))
    acts = {"create": (create, CREATES), "get": (get, GETS), "list": (list_, LISTS), "complete": (complete, ENDS)}
    for name, (act, times) in acts.items():
        profile_repeatedly(name, act, times)
        explain(profile, name, act, EXPLAINED)


def test_posting(crowd: Crowd, profile: PostgresProfile) -> None:
    """One posting a transaction, and many in one."""
    assert crowd.realm_id == LIVE

    def post(many: int) -> None:
        with transaction.atomic():
            ledger.post(top_ups(many), realm_id=LIVE, at=live_now())

    profile_repeatedly("posting", lambda: post(1), POSTINGS)
    explain(profile, "a posting by itself", lambda: post(1), EXPLAINED)
    explain(profile, f"a posting of {BULK}", lambda: post(BULK), 4, 4 * BULK)
