"""Orders over HTTP, beside a plain DRF baseline on the same kind of server and the same PostgreSQL. `make bench`."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection

from benchmarks import pgbench
from benchmarks.baseline_server import SECRET, Baseline, run_baseline_server
from benchmarks.crowd import Crowd, number_of
from benchmarks.load_clients import CONCURRENCY, LoadRun
from benchmarks.measurement import Measurement, process_tree, rates_by_side, resident_mb, run_in_turn, scaled
from benchmarks.report import BenchmarkReport
from kernel.clock import live_now
from tests.kills.running_stack import RunningStack, run_stack
from tests.overload.load import post, quantile
from tests.services import services as servers
from tests.simulation.order_copies import OrderCopy, make_orders
from tests.simulation.row_copies import Role, copy_key
from tests.threads import run_async

PEOPLE = scaled(4000, 300)
#: The number of orders to complete or cancel, ours and the baseline's, and the program that opens the latter.
ENDED, THEIRS_ENDED, OPENED = scaled(20_000, 6_000), scaled(10_000, 3_000), "benchmarks.baselines.open_orders"
_numbers = count(60_000_000)
#: All programs of a deployment.
PROGRAMS = ("web", "worker", "clerk", "courier", "beat")


@pytest.fixture(scope="module")
def stack(crowd: Crowd) -> Iterator[RunningStack]:
    with run_stack("web") as built:
        yield built


@pytest.fixture(scope="module")
def baseline() -> Iterator[Baseline]:
    with run_baseline_server(PEOPLE) as running:
        yield running


def build_get(method: str, path: str, secret: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


def ours(stack: RunningStack, order: Callable[[], bytes]) -> LoadRun:
    return LoadRun("ours", stack.port, stack.pid("web"), order)


def theirs(baseline: Baseline, order: Callable[[], bytes]) -> LoadRun:
    return LoadRun("DRF and ORM", baseline.port, baseline.pid, order)


def create_request(crowd: Crowd) -> Callable[[], bytes]:
    def order() -> bytes:
        number = f"O-{uuid4().hex[:24]}"
        body = {"agreement": crowd.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
        return post("/v1/orders", crowd.secret, body, number)

    return order


def baseline_create_request(baseline: Baseline) -> Callable[[], bytes]:
    def order() -> bytes:
        number = f"O-{uuid4().hex[:24]}"
        body = {"agreement": baseline.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
        return post("/orders/", SECRET, body, number)

    return order


def test_creating(report: BenchmarkReport, stack: RunningStack, crowd: Crowd, baseline: Baseline) -> None:
    creates, baseline_run = ours(stack, create_request(crowd)), theirs(baseline, baseline_create_request(baseline))
    script = pgbench.capture_script(crowd)
    sides: dict[str, Callable[[], Measurement]] = {
        "ours": creates,
        "DRF and ORM": baseline_run,
        "pgbench": lambda: pgbench.pgbench(script, crowd, CONCURRENCY),
    }
    for side in (creates, baseline_run):
        side.warm_up()
    done = run_in_turn(sides)
    rate = rates_by_side(done)
    web = {"ours": rate["ours"], "DRF and ORM": rate["DRF and ORM"]}
    report.ratio("1 create over HTTP", rate["ours"], rate["DRF and ORM"], "/s", web)
    report.ratio("1 create over HTTP, pgbench", rate["ours"], rate["pgbench"], "/s", rate)
    spent = {name: [1000 * measurement.cpu_each() for measurement in done[name]] for name in web}
    report.ratio("1 create over HTTP, CPU of app and database", spent["ours"], spent["DRF and ORM"], "ms", spent)
    report.write("9 create p99", [quantile(creates.shots, 0.99) / quantile(creates.shots, 0.5)])
    for name, measurements in done.items():
        report.note(f"create, {name}: {median_measurement(measurements)}")
    report.note(f"pgbench sends {script.statements} statements for a create")


@pytest.mark.parametrize(("verb", "body"), [("complete", {"total": 60}), ("cancel", {"reason": "没有货了"})])
def test_ending(  # noqa: PLR0917
    verb: str, body: dict[str, object], report: BenchmarkReport, stack: RunningStack, crowd: Crowd, baseline: Baseline
) -> None:
    """Each order can be ended once, so all are opened beforehand."""
    mine, others = iter(open_orders(crowd, ENDED)), iter(json.loads(baseline.run(OPENED, str(THEIRS_ENDED))))
    ends = ours(stack, lambda: post(f"/v1/orders/{(one := unused(mine))}/{verb}", crowd.secret, body, f"{verb} {one}"))
    baseline_run = theirs(
        baseline, lambda: post(f"/orders/{(one := unused(others))}/{verb}/", SECRET, body, f"{verb} {one}")
    )
    compare(report, f"1 {verb} over HTTP", ends, baseline_run)


def open_orders(crowd: Crowd, many: int) -> list[str]:
    """Insert open orders of all people in turn, as the services would create them."""
    at = live_now().replace(microsecond=0) - timedelta(hours=1)
    numbers = [next(_numbers) for _ in range(many)]
    people = [number_of(place % crowd.people) for place in range(many)]
    make_orders(crowd.pattern, [OrderCopy(number, one, one, at) for number, one in zip(numbers, people, strict=True)])
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")
    return [f"ord_{copy_key(Role.ORDER, number).hex}" for number in numbers]


def unused(orders: Iterator[str]) -> str:
    if (one := next(orders, None)) is None:
        raise RuntimeError("Every order has ended: there are too few.")
    return one


def test_reading(report: BenchmarkReport, stack: RunningStack, crowd: Crowd, baseline: Baseline) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM orders_order ORDER BY id DESC LIMIT 200")
        mine = [f"ord_{key.hex}" for (key,) in cursor.fetchall()]
    page = baseline_order_ids(baseline)
    turns = count()

    def one_of(places: list[str]) -> str:
        return places[next(turns) % len(places)]

    for name, path, their_path in (
        ("2 get", lambda: f"/v1/orders/{one_of(mine)}", lambda: f"/orders/{one_of(page)}/"),
        ("2 list", lambda: "/v1/orders", lambda: "/orders/"),
    ):
        mine_asked = ours(stack, lambda path=path: build_get("GET", path(), crowd.secret))  # type: ignore[misc]
        theirs_asked = theirs(baseline, lambda path=their_path: build_get("GET", path(), SECRET))  # type: ignore[misc]
        compare(report, name, mine_asked, theirs_asked)


def compare(report: BenchmarkReport, name: str, reads: LoadRun, baseline_run: LoadRun) -> None:
    reads.warm_up()
    baseline_run.warm_up()
    done = run_in_turn({"ours": reads, "DRF and ORM": baseline_run})
    rate = rates_by_side(done)
    report.ratio(name, rate["ours"], rate["DRF and ORM"], "/s", rate)
    for side, measurements in done.items():
        report.note(f"{name[2:]}, {side}: {median_measurement(measurements)}")


def median_measurement(measurements: list[Measurement]) -> Measurement:
    """The measurement with the median rate."""
    return sorted(measurements, key=lambda measurement: measurement.rate)[len(measurements) // 2]


def baseline_order_ids(baseline: Baseline) -> list[str]:
    async def first() -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", baseline.port)
        writer.write(build_get("GET", "/orders/", SECRET))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        writer.close()
        return [order["id"] for order in body["results"]]

    return run_async(first())


def test_memory(report: BenchmarkReport, crowd: Crowd) -> None:
    """Measured with a deployment's packages only: others import test packages where they are installed."""
    with run_stack(*PROGRAMS, python=bare()) as deployed:
        creates = ours(deployed, create_request(crowd))
        creates.warm_up()
        creates.run()
        held = {name: sorted(map(resident_mb, process_tree(deployed.pid(name))), reverse=True) for name in PROGRAMS}
    report.write("10 memory, web worker", [held["web"][0]])
    sizes_text = (f"{name} {' + '.join(f'{mb:.0f}' for mb in sizes)}" for name, sizes in held.items())
    report.note(f"memory of each process, MB resident, shared pages counted for each: {', '.join(sizes_text)}")


def bare() -> str:
    """The Python interpreter with a deployment's packages only."""
    python = Path(sys.executable).parents[1] / "bare" / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"{python} is missing: make .venv/.bare")
    return str(python)
