"""The time of each API operation as the number of orders grows, with all invariants checked. `make bench`.

GROWN sets the numbers of orders (10000,100000,300000), of one merchant and twenty thousand people. Times are of
Django's whole response, without a network; a sweep deducts a batch, with its postings and events.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from statistics import median
from typing import Any
from uuid import uuid4

from django.test import Client

from benchmarks.crowd import Crowd, number_of
from benchmarks.deduction_sweep import SweepRun, fake_channel
from benchmarks.measurement import QUICK, scaled
from benchmarks.report import BenchmarkReport
from billing.services.deduct import SWEEP
from bnpl.invariants import find_violations
from kernel.clock import live_now
from kernel.models import LIVE
from tests.services import services as servers
from tests.simulation.order_copies import OrderCopy, make_orders

SIZES = [int(size) for size in (os.environ.get("GROWN") or ("500,2000" if QUICK else "10000,100000,300000")).split(",")]
#: How often each operation runs at each size, and how many obligations are swept.
TIMES, SWEPT = scaled(200, 20), scaled(2_000, 200)
VERBS = ("create", "get", "list", "complete", "cancel")
_GOOD = (200, 201)
#: The invariant that is not checked: the fake channel of the sweeps has no records to compare with.
BANK = "deductions_match_the_bank"
_numbers = count(200_000_000)


def test_growing(report: BenchmarkReport, crowd: Crowd) -> None:
    times: dict[str, dict[int, float]] = defaultdict(dict)
    swept, made = dict[int, float](), 0
    for size in SIZES:
        fill(crowd, size - made)
        made = size
        for name, ms in verbs(crowd).items():
            times[name][size] = ms
        with fake_channel(0):  # what was completed just now is due as well
            while SWEEP.run_batch(LIVE, live_now(), SWEEP.batch_size):
                pass
        work = SweepRun(crowd, SWEPT, 0)()
        swept[size] = 1000 * work.seconds / work.units
        times_text = ", ".join(f"{name} {times[name][size]:.2f}" for name in VERBS)
        report.note(f"at {size:,} orders, ms: {times_text}, an obligation of a sweep {swept[size]:.2f}")
    report.growth("growth of verbs", "ms", times)
    report.growth("growth of a sweep", "ms", {"an obligation": swept})
    wrong = [one for one in find_violations() if one.name != BANK]
    if wrong:
        raise RuntimeError(f"What was made is not true: {wrong[:5]}")


def fill(crowd: Crowd, many: int) -> None:
    """Insert completed orders due in nine days, with all rows that the services would have written."""
    at = live_now().replace(microsecond=0)
    started, due = at - timedelta(hours=3), at + timedelta(days=9)
    for first in range(0, many, crowd.people):
        people = map(number_of, range(min(crowd.people, many - first)))
        make_orders(
            crowd.pattern,
            [
                OrderCopy(next(_numbers), one, one, started, total_minor=5, completed_at=started, due_at=due)
                for one in people
            ],
        )
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")


def verbs(crowd: Crowd) -> dict[str, float]:
    """Each operation's median time in ms, every time on another order."""
    client, spent = Client(), dict[str, list[float]]()
    orders = iter([json.loads(create_order(client, crowd).content)["id"] for _ in range(2 * TIMES)])
    actions: dict[str, Callable[[], Any]] = {
        "create": lambda: create_order(client, crowd),
        "get": lambda: get_json(client, crowd, f"/v1/orders/{one}"),
        "list": lambda: get_json(client, crowd, "/v1/orders"),
        "complete": lambda: post_json(client, crowd, f"/v1/orders/{next(orders)}/complete", {"total": 5}),
        "cancel": lambda: post_json(client, crowd, f"/v1/orders/{next(orders)}/cancel", {"reason": "没有货了"}),
    }
    one = next(orders)
    for _ in range(TIMES - 1):
        for name, action in actions.items():
            started = time.perf_counter()
            answer = action()
            spent.setdefault(name, []).append(1000 * (time.perf_counter() - started))
            if answer.status_code not in _GOOD:
                raise RuntimeError(f"{name}: {answer.status_code} {answer.content!r}")
    return {name: median(figures) for name, figures in spent.items()}


def create_order(client: Client, crowd: Crowd) -> Any:
    body = {"agreement": crowd.agreement(), "out_order_no": uuid4().hex, "title": "充电宝", "ceiling": 100}
    return post_json(client, crowd, "/v1/orders", body)


def post_json(client: Client, crowd: Crowd, path: str, body: dict[str, object]) -> Any:
    headers = {"Authorization": f"Bearer {crowd.secret}", "Idempotency-Key": uuid4().hex}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def get_json(client: Client, crowd: Crowd, path: str) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {crowd.secret}"})
