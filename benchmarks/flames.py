"""Where the time goes of whatever has a goal that is missed: `make bench-flames` draws docs/pictures/flames-*.svg.

And what PostgreSQL says its own part went to (benchmarks.inside): benchmarks/results/inside.json.
"""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

from django.db import transaction
from django.test import Client

from benchmarks.crowd import Crowd
from benchmarks.growing import created, posted
from benchmarks.inside import Inside, explained
from benchmarks.orders_http import opened
from benchmarks.postings import BULK, facts
from benchmarks.sampler import kept, watched
from benchmarks.sweeping import Sweeping, channel
from benchmarks.weather import sized
from kernel.clock import live_now
from kernel.models import LIVE
from ledger import services as ledger

CREATES, GETS, LISTS, ENDS = sized(1_500, 60), sized(3_000, 120), sized(1_500, 60), sized(1_000, 40)
OWED, POSTINGS = sized(6_000, 200), sized(4_000, 100)
#: So many of each are looked at by PostgreSQL, which takes longer meanwhile.
EXPLAINED = sized(300, 20)


def repeated(name: str, act: Callable[[], object], times: int) -> None:
    """It is done until it is warm, and then so often while it is watched."""
    for _ in range(times // 10):
        act()
    with watched(name) as flame:
        for _ in range(times):
            act()
    kept(flame, f"{1000 * flame.seconds / times:.2f} ms each, waiting included")


def looked_into(inside: Inside, name: str, act: Callable[[], object], times: int, units: int = 0) -> None:
    act()
    with explained() as told:
        for _ in range(times):
            act()
    inside.write(name, told, units or times)


def test_sweep(crowd: Crowd, inside: Inside) -> None:
    sweep = Sweeping(crowd, OWED, 0)
    sweep()
    sweep.owe()
    with channel(0), watched("sweep") as flame:
        sweep.sweep()
    kept(flame, f"{1000 * flame.seconds / sweep.many:.2f} ms for each obligation, waiting included")
    sweep.owe()
    with channel(0), explained() as told:
        sweep.sweep()
    inside.write("an obligation of a sweep", told, sweep.many)


def test_orders(crowd: Crowd, inside: Inside) -> None:
    client: Any = Client()
    made: list[str] = []

    def create() -> None:
        answer = created(client, crowd)
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
        answer = posted(client, crowd, f"/v1/orders/{next(orders)}/complete", {"total": 60})
        assert answer.status_code == 200, answer.content

    key = {"HTTP_AUTHORIZATION": f"Bearer {crowd.secret}"}
    orders = iter(opened(crowd, 2 * ENDS + 2 * EXPLAINED))
    acts = {"create": (create, CREATES), "get": (get, GETS), "list": (list_, LISTS), "complete": (complete, ENDS)}
    for name, (act, times) in acts.items():
        repeated(name, act, times)
        looked_into(inside, name, act, EXPLAINED)


def test_posting(crowd: Crowd, inside: Inside) -> None:
    """One by one, each in a transaction of its own; and many at once."""
    assert crowd.realm_id == LIVE

    def post(many: int) -> None:
        with transaction.atomic():
            ledger.post(facts(many), realm_id=LIVE, at=live_now())

    repeated("posting", lambda: post(1), POSTINGS)
    looked_into(inside, "a posting by itself", lambda: post(1), EXPLAINED)
    looked_into(inside, f"a posting of {BULK}", lambda: post(BULK), 4, 4 * BULK)
