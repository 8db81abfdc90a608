"""Whole lives on the running platform: what one costs, who waits while a sweep runs, what a worker holds. `make bench`.

The channel is the sandbox's bank, whose own books, in the same database, are in the figures.
"""

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from uuid import uuid4

import pytest
from django.db.models import Q

from benchmarks.asking import AT_ONCE, Asking, postgres
from benchmarks.book import Book
from benchmarks.crowd import Crowd, number_of
from benchmarks.orders_http import creating, ours
from benchmarks.weather import ROUNDS, Work, family, in_turn, measured, resident, sized
from kernel.clock import live_now
from merchants import services as merchants
from orders.models import Obligation
from tests.conftest import BY
from tests.kills.house import House, house
from tests.overload.load import Shot, quantile
from tests.services import services as servers
from tests.simulation.pattern import token_of
from tests.simulation.uses import Use, make_uses

#: Lives a round; obligations that are swept while others create; and after how many a worker is weighed.
LIVES, BESIDE, WEIGHED = sized(1_000, 80), sized(8_000, 2_500), sized(100_000, 2_000)
PATIENCE = 1_800.0
ROUNDS_MAX = 30
GETTING_READY = timedelta(seconds=sized(60, 15))
_numbers = count(50_000_000)


@pytest.fixture(scope="module")
def home(crowd: Crowd) -> Iterator[House]:
    """Everything runs; everybody's bank pays; the merchant hears of everything, at an address where nobody is."""
    merchants.add_endpoint(crowd.merchant_id, "http://127.0.0.1:9/hooks", by=BY, at=live_now())
    tokens = [token_of(number_of(place), 1) for place in range(crowd.people)]
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sandbox_bank.account (token, behaviour) SELECT unnest(%s), 'pays' ON CONFLICT DO NOTHING",
            [tokens],
        )
    with house("web", "worker", "beat") as built:
        yield built


def owe(crowd: Crowd, many: int, *, after: timedelta = timedelta(0)) -> None:
    """So many obligations are due now, or so long after; a few of each person."""
    at = live_now().replace(microsecond=0)
    for first in range(0, many, crowd.people):
        people = map(number_of, range(min(crowd.people, many - first)))
        make_uses(
            crowd.pattern,
            [Use(next(_numbers), one, one, at, total_minor=500, completed_at=at, due_at=at + after) for one in people],
        )
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")


def owed() -> int:
    return Obligation.objects.filter(Q(collect_at__lte=live_now()) | Q(in_flight__isnull=False)).count()


def collected(home: House) -> None:
    """Wait until nothing is due."""
    home.until(lambda: owed() == 0, "Something is still due.", PATIENCE)


def live_one(port: int, crowd: Crowd, agreement: str) -> None:
    """Opened and completed, over a connection of its own."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = f"O-{uuid4().hex[:24]}"
    wish = {"agreement": agreement, "out_order_no": number, "title": "充电宝", "ceiling": 500}
    order = _told(line, crowd, "/v1/orders", number, wish)["id"]
    _told(line, crowd, f"/v1/orders/{order}/complete", f"{number}c", {"total": 500})
    line.close()


def _told(
    line: http.client.HTTPConnection, crowd: Crowd, path: str, key: str, body: dict[str, object]
) -> dict[str, str]:
    kind = {"Content-Type": "application/json", "Authorization": f"Bearer {crowd.secret}", "Idempotency-Key": key}
    line.request("POST", path, json.dumps(body), kind)
    answer = line.getresponse()
    raw = answer.read()
    if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        raise RuntimeError(f"{path}: {answer.status} {raw!r}")
    return dict(json.loads(raw))


def test_the_life_of_an_order(book: Book, home: House, crowd: Crowd) -> None:
    programs = {name: home.pid(name) for name in ("web", "worker", "beat")} | {"database": postgres()}

    def lived() -> int:
        agreements = [crowd.agreement() for _ in range(LIVES)]
        with ThreadPoolExecutor(AT_ONCE) as hands:
            list(hands.map(lambda agreement: live_one(home.port, crowd, agreement), agreements))
        collected(home)
        return LIVES

    lived()
    works = [measured(lived, programs) for _ in range(ROUNDS)]
    book.write("3 life of an order, CPU", [1000 * work.cpu_each() for work in works])
    book.note(f"a life: {works[-1]}")


def test_creating_beside_a_sweep(book: Book, home: House, crowd: Crowd) -> None:
    creates = ours(home, creating(crowd))
    creates.warm_up()
    waits: dict[str, list[float]] = {"alone": [], "beside": []}
    swept = []

    def alone() -> Work:
        work, waits_of = shots_of(creates, lambda: True)
        waits["alone"].append(waits_of)
        return work

    def beside() -> Work:
        owe(crowd, BESIDE, after=GETTING_READY)  # or they are swept while the tables are looked through
        home.until(lambda: owed() > 0, "Nothing falls due.", 2 * GETTING_READY.total_seconds())
        before = owed()
        work, waits_of = shots_of(creates, lambda: owed() < before)
        waits["beside"].append(waits_of)
        swept.append(before - owed())
        collected(home)
        return work

    in_turn({"alone": alone, "beside": beside})
    book.ratio("9 p99 during a sweep", waits["beside"], waits["alone"], "ms", waits)
    book.note(f"obligations swept while creates were asked: {swept}")


def shots_of(creates: Asking, enough: Callable[[], bool]) -> tuple[Work, float]:
    """Creates, a round after another until it is enough, and the ms in which 99 of 100 of them were answered.

    A batch of a sweep beside a crowd that takes both cores may be longer under way than a round.
    """
    seen: list[Shot] = creates.shots
    creates.shots = []
    for _ in range(ROUNDS_MAX):
        work = creates()
        if enough():
            break
    else:
        raise RuntimeError("Nothing was swept while creates were asked.")
    p99 = 1000 * quantile(creates.shots, 0.99)
    creates.shots = seen
    return work, p99


def test_what_a_worker_holds(book: Book, home: House, crowd: Crowd) -> None:
    owe(crowd, WEIGHED)
    collected(home)
    children = family(home.pid("worker"))[1:]
    book.write("10 memory, Celery child after 100,000 obligations", [max(map(resident, children))])
    book.note(f"obligations after which the worker's {len(children)} children were weighed: more than {WEIGHED:,}")
