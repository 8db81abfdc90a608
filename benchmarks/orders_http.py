"""Orders over HTTP, ours and what one writes first, on the same server and the same database server. `make bench`."""

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

from benchmarks import replay
from benchmarks.asking import AT_ONCE, Asking
from benchmarks.book import Book
from benchmarks.crowd import Crowd, number_of
from benchmarks.naive_house import SECRET, Naive, serving
from benchmarks.weather import Work, family, in_turn, paces, resident, sized
from kernel.clock import live_now
from tests.kills.house import House, house
from tests.overload.load import post, quantile
from tests.services import services as servers
from tests.simulation.copying import Role, key
from tests.simulation.uses import Use, make_uses
from tests.threads import awaited

PEOPLE = sized(4000, 300)
#: Orders that are ended, each once, and the program that opens the baseline's.
ENDED, THEIRS_ENDED, OPENED = sized(20_000, 6_000), sized(10_000, 3_000), "benchmarks.baselines.opened"
_numbers = count(60_000_000)
#: Everything of ours that a deployment runs.
PROGRAMS = ("web", "worker", "clerk", "courier", "beat")


@pytest.fixture(scope="module")
def home(crowd: Crowd) -> Iterator[House]:
    with house("web") as built:
        yield built


@pytest.fixture(scope="module")
def naive() -> Iterator[Naive]:
    with serving(PEOPLE) as running:
        yield running


def ask(method: str, path: str, secret: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


def ours(home: House, order: Callable[[], bytes]) -> Asking:
    return Asking("ours", home.port, home.pid("web"), order)


def theirs(naive: Naive, order: Callable[[], bytes]) -> Asking:
    return Asking("DRF and ORM", naive.port, naive.pid, order)


def creating(crowd: Crowd) -> Callable[[], bytes]:
    def order() -> bytes:
        number = f"O-{uuid4().hex[:24]}"
        wish = {"agreement": crowd.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
        return post("/v1/orders", crowd.secret, wish, number)

    return order


def creating_naively(naive: Naive) -> Callable[[], bytes]:
    def order() -> bytes:
        number = f"O-{uuid4().hex[:24]}"
        wish = {"agreement": naive.agreement(), "out_order_no": number, "title": "充电宝", "ceiling": 100}
        return post("/orders/", SECRET, wish, number)

    return order


def test_creating(book: Book, home: House, crowd: Crowd, naive: Naive) -> None:
    creates, naively = ours(home, creating(crowd)), theirs(naive, creating_naively(naive))
    script = replay.script_of(crowd)
    sides: dict[str, Callable[[], Work]] = {
        "ours": creates,
        "DRF and ORM": naively,
        "pgbench": lambda: replay.pgbench(script, crowd, AT_ONCE),
    }
    for side in (creates, naively):
        side.warm_up()
    done = in_turn(sides)
    pace = paces(done)
    web = {"ours": pace["ours"], "DRF and ORM": pace["DRF and ORM"]}
    book.ratio("1 create over HTTP", pace["ours"], pace["DRF and ORM"], "/s", web)
    book.ratio("1 create over HTTP, pgbench", pace["ours"], pace["pgbench"], "/s", pace)
    spent = {name: [1000 * work.cpu_each() for work in done[name]] for name in web}
    book.ratio("1 create over HTTP, CPU of app and database", spent["ours"], spent["DRF and ORM"], "ms", spent)
    book.write("9 create p99", [quantile(creates.shots, 0.99) / quantile(creates.shots, 0.5)])
    for name, works in done.items():
        book.note(f"create, {name}: {middle(works)}")
    book.note(f"pgbench sends {script.statements} statements for a create")


@pytest.mark.parametrize(("verb", "body"), [("complete", {"total": 60}), ("cancel", {"reason": "没有货了"})])
def test_ending(verb: str, body: dict[str, object], book: Book, home: House, crowd: Crowd, naive: Naive) -> None:  # noqa: PLR0917
    """Each order ends once, so all are open before it begins."""
    mine, others = iter(opened(crowd, ENDED)), iter(json.loads(naive.run(OPENED, str(THEIRS_ENDED))))
    ends = ours(home, lambda: post(f"/v1/orders/{(one := unused(mine))}/{verb}", crowd.secret, body, f"{verb} {one}"))
    naively = theirs(naive, lambda: post(f"/orders/{(one := unused(others))}/{verb}/", SECRET, body, f"{verb} {one}"))
    compare(book, f"1 {verb} over HTTP", ends, naively)


def opened(crowd: Crowd, many: int) -> list[str]:
    """So many open orders of everybody in turn, such as the services make them."""
    at = live_now().replace(microsecond=0) - timedelta(hours=1)
    numbers = [next(_numbers) for _ in range(many)]
    people = [number_of(place % crowd.people) for place in range(many)]
    make_uses(crowd.pattern, [Use(number, one, one, at) for number, one in zip(numbers, people, strict=True)])
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("ANALYZE")
    return [f"ord_{key(Role.ORDER, number).hex}" for number in numbers]


def unused(orders: Iterator[str]) -> str:
    if (one := next(orders, None)) is None:
        raise RuntimeError("Every order has ended: there are too few.")
    return one


def test_reading(book: Book, home: House, crowd: Crowd, naive: Naive) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM orders_order ORDER BY id DESC LIMIT 200")
        mine = [f"ord_{key.hex}" for (key,) in cursor.fetchall()]
    page = naive_page(naive)
    turns = count()

    def one_of(places: list[str]) -> str:
        return places[next(turns) % len(places)]

    for name, path, their_path in (
        ("2 get", lambda: f"/v1/orders/{one_of(mine)}", lambda: f"/orders/{one_of(page)}/"),
        ("2 list", lambda: "/v1/orders", lambda: "/orders/"),
    ):
        mine_asked = ours(home, lambda path=path: ask("GET", path(), crowd.secret))  # type: ignore[misc]
        theirs_asked = theirs(naive, lambda path=their_path: ask("GET", path(), SECRET))  # type: ignore[misc]
        compare(book, name, mine_asked, theirs_asked)


def compare(book: Book, name: str, reads: Asking, naively: Asking) -> None:
    reads.warm_up()
    naively.warm_up()
    done = in_turn({"ours": reads, "DRF and ORM": naively})
    pace = paces(done)
    book.ratio(name, pace["ours"], pace["DRF and ORM"], "/s", pace)
    for side, works in done.items():
        book.note(f"{name[2:]}, {side}: {middle(works)}")


def middle(works: list[Work]) -> Work:
    """The one of median pace."""
    return sorted(works, key=lambda work: work.pace)[len(works) // 2]


def naive_page(naive: Naive) -> list[str]:
    async def first() -> list[str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", naive.port)
        writer.write(ask("GET", "/orders/", SECRET))
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = json.loads(await reader.readexactly(length))
        writer.close()
        return [order["id"] for order in body["results"]]

    return awaited(first())


def test_memory(book: Book, crowd: Crowd) -> None:
    """With the packages a deployment has: those of tests and tools, where they are, are found and loaded by others."""
    with house(*PROGRAMS, python=bare()) as deployed:
        creates = ours(deployed, creating(crowd))
        creates.warm_up()
        creates.go()
        held = {name: sorted(map(resident, family(deployed.pid(name))), reverse=True) for name in PROGRAMS}
    book.write("10 memory, web worker", [held["web"][0]])
    told = (f"{name} {' + '.join(f'{mb:.0f}' for mb in sizes)}" for name, sizes in held.items())
    book.note(f"memory of each process, MB resident, shared pages counted for each: {', '.join(told)}")


def bare() -> str:
    """The Python that has the deployment's packages alone."""
    python = Path(sys.executable).parents[1] / "bare" / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"{python} is missing: make .venv/.bare")
    return str(python)
