"""What each verb takes as orders become more, all of which `manage.py verify` finds to be true. `make bench`.

GROWN says at how many it is asked (10000,100000,300000); all are of one merchant, and of twenty thousand people. The
verbs are Django's whole answer, without a network; a sweep is so many at once, settled, booked and told.
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

from benchmarks.book import Book
from benchmarks.crowd import Crowd, number_of
from benchmarks.sweeping import Sweeping, channel
from benchmarks.weather import QUICK, sized
from billing.services.deduct import DUE
from bnpl.invariants import violations
from kernel.clock import live_now
from kernel.models import LIVE
from tests.services import services as servers
from tests.simulation.uses import Use, make_uses

SIZES = [int(size) for size in (os.environ.get("GROWN") or ("500,2000" if QUICK else "10000,100000,300000")).split(",")]
#: So often each verb is asked at each size, and so many obligations are swept.
TIMES, SWEPT = sized(200, 20), sized(2_000, 200)
VERBS = ("create", "get", "list", "complete", "cancel")
_GOOD = (200, 201)
#: What is not asked: the channel that the sweeps charge keeps no books to compare with.
BANK = "the_bank_agrees"
_numbers = count(200_000_000)


def test_growing(book: Book, crowd: Crowd) -> None:
    taken: dict[str, dict[int, float]] = defaultdict(dict)
    swept, made = dict[int, float](), 0
    for size in SIZES:
        fill(crowd, size - made)
        made = size
        for name, ms in verbs(crowd).items():
            taken[name][size] = ms
        with channel(0):  # what was completed just now is due as well
            while DUE.at_once(LIVE, live_now(), DUE.batch):
                pass
        work = Sweeping(crowd, SWEPT, 0)()
        swept[size] = 1000 * work.seconds / work.units
        told = ", ".join(f"{name} {taken[name][size]:.2f}" for name in VERBS)
        book.note(f"at {size:,} orders, ms: {told}, an obligation of a sweep {swept[size]:.2f}")
    book.growth("growth of verbs", "ms", taken)
    book.growth("growth of a sweep", "ms", {"an obligation": swept})
    wrong = [one for one in violations() if one.name != BANK]
    if wrong:
        raise RuntimeError(f"What was made is not true: {wrong[:5]}")


def fill(crowd: Crowd, many: int) -> None:
    """So many orders more, completed and owed in nine days, with all that the services would have written of them."""
    at = live_now().replace(microsecond=0)
    began, due = at - timedelta(hours=3), at + timedelta(days=9)
    for first in range(0, many, crowd.people):
        people = map(number_of, range(min(crowd.people, many - first)))
        make_uses(
            crowd.pattern,
            [Use(next(_numbers), one, one, began, total_minor=5, completed_at=began, due_at=due) for one in people],
        )
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")


def verbs(crowd: Crowd) -> dict[str, float]:
    """What each takes (ms): the median of so many, each of another order."""
    client, spent = Client(), dict[str, list[float]]()
    orders = iter([json.loads(created(client, crowd).content)["id"] for _ in range(2 * TIMES)])
    acts: dict[str, Callable[[], Any]] = {
        "create": lambda: created(client, crowd),
        "get": lambda: asked(client, crowd, f"/v1/orders/{one}"),
        "list": lambda: asked(client, crowd, "/v1/orders"),
        "complete": lambda: posted(client, crowd, f"/v1/orders/{next(orders)}/complete", {"total": 5}),
        "cancel": lambda: posted(client, crowd, f"/v1/orders/{next(orders)}/cancel", {"reason": "没有货了"}),
    }
    one = next(orders)
    for _ in range(TIMES - 1):
        for name, act in acts.items():
            began = time.perf_counter()
            answer = act()
            spent.setdefault(name, []).append(1000 * (time.perf_counter() - began))
            if answer.status_code not in _GOOD:
                raise RuntimeError(f"{name}: {answer.status_code} {answer.content!r}")
    return {name: median(figures) for name, figures in spent.items()}


def created(client: Client, crowd: Crowd) -> Any:
    wish = {"agreement": crowd.agreement(), "out_order_no": uuid4().hex, "title": "充电宝", "ceiling": 100}
    return posted(client, crowd, "/v1/orders", wish)


def posted(client: Client, crowd: Crowd, path: str, body: dict[str, object]) -> Any:
    headers = {"Authorization": f"Bearer {crowd.secret}", "Idempotency-Key": uuid4().hex}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def asked(client: Client, crowd: Crowd, path: str) -> Any:
    return client.get(path, headers={"Authorization": f"Bearer {crowd.secret}"})
