"""Orders over HTTP, ours and what one writes first, on the same server and the same database server. `make bench`."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection

from benchmarks import replay
from benchmarks.book import Book
from benchmarks.crowd import Crowd
from benchmarks.naive_house import SECRET, Naive, serving
from benchmarks.weather import SECONDS, Work, family, in_turn, measured, paces, resident, sized
from tests.kills.house import House, house
from tests.overload.load import Lines, Order, Shot, post, quantile
from tests.overload.load import in_turn as asked_in_turn
from tests.services import services as servers
from tests.threads import awaited

PEOPLE = sized(4000, 300)
#: As many as the webs of both have hands, so that nobody waits in front of a lane.
AT_ONCE = 8
_GOOD = (200, 201)
#: So often it is tried to have a warm web.
_TRIES, _WARM = 12, 3


@pytest.fixture(scope="module")
def home(crowd: Crowd) -> Iterator[House]:
    with house("web") as built:
        yield built


@pytest.fixture(scope="module")
def naive() -> Iterator[Naive]:
    with serving(PEOPLE) as running:
        yield running


def postgres() -> int:
    """The pid of the database server that both use."""
    return next(
        child.process.pid
        for child in servers.children
        if child.program.name == "postgres" and child.process is not None
    )


def ask(method: str, path: str, secret: str) -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


class Asking:
    """Some programs that ask a web and, once they are answered, ask again."""

    def __init__(self, name: str, port: int, web: int, order: Order) -> None:
        self.name, self.port, self.order = name, port, order
        self.programs = {"web": web, "database": postgres()}
        self.shots: list[Shot] = []

    def __call__(self) -> Work:
        return measured(self.go, self.programs)

    def warm_up(self) -> None:
        """Nobody is judged by first answers: a process reads its code from the disk, a connection prepares."""
        good = 0
        for _ in range(_TRIES):
            good += all(shot.status in _GOOD for shot in awaited(self._asked()))
            if good == _WARM:
                return

    def go(self) -> int:
        shots = awaited(self._asked())
        good = [shot for shot in shots if shot.status in _GOOD]
        if len(good) < 0.95 * len(shots):
            other = next(shot for shot in shots if shot.status not in _GOOD)
            raise RuntimeError(f"{self.name}: {len(good)} of {len(shots)} were answered well; one was not: {other}")
        self.shots += good
        return len(good)

    async def _asked(self) -> list[Shot]:
        lines = Lines(self.port)
        try:
            return await asked_in_turn(lines, self.order, at_once=AT_ONCE, seconds=SECONDS)
        finally:
            lines.close()


def ours(home: House, order: Callable[[], bytes]) -> Asking:
    return Asking("ours", home.port, home.pid("web"), lambda: (order(), ""))


def theirs(naive: Naive, order: Callable[[], bytes]) -> Asking:
    return Asking("DRF and ORM", naive.port, naive.pid, lambda: (order(), ""))


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
    done = in_turn({"ours": reads, "ModelSerializer": naively})
    pace = paces(done)
    book.ratio(name, pace["ours"], pace["ModelSerializer"], "/s", pace)
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
    with house("web", python=bare()) as deployed:
        creates = ours(deployed, creating(crowd))
        creates.warm_up()
        creates.go()
        workers = [resident(pid) for pid in family(deployed.pid("web"))[1:]]
    book.write("10 memory, web worker", [max(workers)])


def bare() -> str:
    """The Python that has the deployment's packages alone."""
    python = Path(sys.executable).parents[1] / "bare" / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"{python} is missing: make .venv/.bare")
    return str(python)
