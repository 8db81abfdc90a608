"""Orders from creation to deduction on a running stack: CPU, latency during a sweep, workers' memory. `make bench`.

The channel is the sandbox bank, whose own records are in the same database and so in the measured cost.
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

from benchmarks.crowd import Crowd, number_of
from benchmarks.load_clients import CONCURRENCY, LoadRun, postgres_pid
from benchmarks.measurement import ROUNDS, Measurement, measure, process_tree, resident_mb, run_in_turn, scaled
from benchmarks.orders_http import create_request, ours
from benchmarks.report import BenchmarkReport
from kernel.clock import live_now
from merchants import services as merchants
from orders.models import Obligation
from tests.conftest import BY
from tests.kills.running_stack import RunningStack, run_stack
from tests.overload.load import RequestResult, quantile
from tests.services import services as servers
from tests.simulation.order_copies import OrderCopy, make_orders
from tests.simulation.template_rows import token_of

#: Orders a round; obligations swept while orders are created; and deductions before a worker's memory is measured.
LIVES, BESIDE, WEIGHED = scaled(1_000, 80), scaled(8_000, 2_500), scaled(100_000, 2_000)
PATIENCE = 1_800.0
ROUNDS_MAX = 30
GETTING_READY = timedelta(seconds=scaled(60, 15))
_numbers = count(50_000_000)


@pytest.fixture(scope="module")
def stack(crowd: Crowd) -> Iterator[RunningStack]:
    """A running stack; all debits succeed; all events are sent to an endpoint that does not respond."""
    merchants.add_endpoint(crowd.merchant_id, "http://127.0.0.1:9/hooks", by=BY, at=live_now())
    tokens = [token_of(number_of(place), 1) for place in range(crowd.people)]
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sandbox_bank.account (token, behaviour) SELECT unnest(%s), 'pays' ON CONFLICT DO NOTHING",
            [tokens],
        )
    with run_stack("web", "worker", "beat") as built:
        yield built


def create_due_obligations(crowd: Crowd, many: int, *, after: timedelta = timedelta(0)) -> None:
    """Insert obligations that are due now, or later by `after`, spread over all people."""
    at = live_now().replace(microsecond=0)
    for first in range(0, many, crowd.people):
        people = map(number_of, range(min(crowd.people, many - first)))
        make_orders(
            crowd.pattern,
            [
                OrderCopy(next(_numbers), one, one, at, total_minor=500, completed_at=at, due_at=at + after)
                for one in people
            ],
        )
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")


def count_unsettled() -> int:
    return Obligation.objects.filter(Q(collect_at__lte=live_now()) | Q(in_flight__isnull=False)).count()


def wait_until_collected(stack: RunningStack) -> None:
    """Wait until nothing is due."""
    stack.wait_until(lambda: count_unsettled() == 0, "Something is still due.", PATIENCE)


def run_order(port: int, crowd: Crowd, agreement: str) -> None:
    """Create and complete an order over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = f"O-{uuid4().hex[:24]}"
    body = {"agreement": agreement, "out_order_no": number, "title": "充电宝", "ceiling": 500}
    order = _post(connection, crowd, "/v1/orders", number, body)["id"]
    _post(connection, crowd, f"/v1/orders/{order}/complete", f"{number}c", {"total": 500})
    connection.close()


def _post(
    connection: http.client.HTTPConnection, crowd: Crowd, path: str, key: str, body: dict[str, object]
) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {crowd.secret}", "Idempotency-Key": key}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        raise RuntimeError(f"{path}: {answer.status} {raw!r}")
    return dict(json.loads(raw))


def test_the_life_of_an_order(report: BenchmarkReport, stack: RunningStack, crowd: Crowd) -> None:
    pids = {name: stack.pid(name) for name in ("web", "worker", "beat")} | {"database": postgres_pid()}

    def run_orders() -> int:
        agreements = [crowd.agreement() for _ in range(LIVES)]
        with ThreadPoolExecutor(CONCURRENCY) as hands:
            list(hands.map(lambda agreement: run_order(stack.port, crowd, agreement), agreements))
        wait_until_collected(stack)
        return LIVES

    run_orders()
    measurements = [measure(run_orders, pids) for _ in range(ROUNDS)]
    report.write("3 life of an order, CPU", [1000 * measurement.cpu_each() for measurement in measurements])
    report.note(f"a life: {measurements[-1]}")


def test_creating_beside_a_sweep(report: BenchmarkReport, stack: RunningStack, crowd: Crowd) -> None:
    load = ours(stack, create_request(crowd))
    load.warm_up()
    waits: dict[str, list[float]] = {"alone": [], "beside": []}
    swept = []

    def alone() -> Measurement:
        measurement, waits_of = measure_p99(load, lambda: True)
        waits["alone"].append(waits_of)
        return measurement

    def beside() -> Measurement:
        create_due_obligations(
            crowd, BESIDE, after=GETTING_READY
        )  # or they are swept while the tables are looked through
        stack.wait_until(lambda: count_unsettled() > 0, "Nothing falls due.", 2 * GETTING_READY.total_seconds())
        before = count_unsettled()
        measurement, waits_of = measure_p99(load, lambda: count_unsettled() < before)
        waits["beside"].append(waits_of)
        swept.append(before - count_unsettled())
        wait_until_collected(stack)
        return measurement

    run_in_turn({"alone": alone, "beside": beside})
    report.ratio("9 p99 during a sweep", waits["beside"], waits["alone"], "ms", waits)
    report.note(f"obligations swept while creates were asked: {swept}")


def measure_p99(load: LoadRun, enough: Callable[[], bool]) -> tuple[Measurement, float]:
    """Create orders in rounds until `enough()`, and return the last round and the 99th percentile in ms.

    While the clients take both cores, one batch of a sweep may take longer than a round.
    """
    seen: list[RequestResult] = load.shots
    load.shots = []
    for _ in range(ROUNDS_MAX):
        measurement = load()
        if enough():
            break
    else:
        raise RuntimeError("Nothing was swept while creates were asked.")
    p99 = 1000 * quantile(load.shots, 0.99)
    load.shots = seen
    return measurement, p99


def test_what_a_worker_holds(report: BenchmarkReport, stack: RunningStack, crowd: Crowd) -> None:
    create_due_obligations(crowd, WEIGHED)
    wait_until_collected(stack)
    children = process_tree(stack.pid("worker"))[1:]
    report.write("10 memory, Celery child after 100,000 obligations", [max(map(resident_mb, children))])
    report.note(f"obligations after which the worker's {len(children)} children were weighed: more than {WEIGHED:,}")
