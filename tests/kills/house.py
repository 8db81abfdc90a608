"""The platform's own programs under its own supervisor, for tests that kill them.

PostgreSQL is the test run's, so that a test looks at everything the usual way; where it is PostgreSQL that dies it is
the house's, durable as in life. Valkey is always the house's.
"""

import http.client
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from bnpl import heartbeat
from bnpl.stack.console import Console
from bnpl.stack.embedded import APP, OWNER, Postgres, Valkey
from bnpl.stack.place import Place, choose
from bnpl.stack.plan import Plan
from bnpl.stack.processes import Program
from bnpl.stack.supervisor import Supervisor
from tests import stock
from tests.services import services
from tests.stack.test_stack import free_port

START_PATIENCE = 60.0
SERVERS = ("postgres", "valkey")
LINES_SHOWN = 60
LATE_RING = "Discarding revoked task"  # a tick whose time had passed: there are many, and they say nothing


class Record(Console):
    """Keeps the programs' lines for whoever has to find out what went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def line(self, name: str, text: str) -> None:
        self.lines.append(f"{self.seconds():7.2f} {name:<9}| {text}")


class House:
    """Programs that are started again when they fall, as long as somebody waits in `until` or `stay`."""

    def __init__(
        self, folder: Path, *, durable: bool = False, app: str = "bnpl.celery", python: str = sys.executable
    ) -> None:
        self.instead = {"bnpl.celery": app, sys.executable: python}
        self.record = Record()
        self.supervisor = Supervisor(self.record)
        self.place: Place = choose(folder)
        self.port = free_port()
        self.valkey = Valkey(self.place)
        self.postgres = Postgres(self.place) if durable else None
        env = {**os.environ, "BNPL_HOME": str(folder), "REDIS_URL": self.valkey.url, "PYTHONUNBUFFERED": "1"}
        if self.postgres:
            env |= {"DATABASE_URL": self.postgres.url(APP), "DATABASE_OWNER_URL": self.postgres.url(OWNER)}
        env["ALLOWED_HOSTS"] = "127.0.0.1"
        self.plan = Plan(port=self.port, env=env, postgres=self.postgres, valkey=self.valkey)

    def until(self, true: Callable[[], bool], otherwise: str, seconds: float = START_PATIENCE) -> float:
        """Waits for something to become true while the supervisor does its work. Returns how long that took."""
        began = time.monotonic()
        self.supervisor.wait(true, seconds, otherwise)
        return time.monotonic() - began

    def stay(self, seconds: float) -> None:
        """Lets time pass."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end, "Time stood still.", seconds + 1)

    def start_servers(self) -> None:
        self.start_valkey()
        if self.postgres:
            stock.furnish(self.postgres, services.running)
            self.supervisor.launch(self.postgres.program())
            self.until(self.postgres.answers, "PostgreSQL does not answer.")

    def start_valkey(self) -> None:
        self.supervisor.launch(self.valkey.program())
        self.until(self.valkey.answers, "Valkey does not answer.")

    def start(self, *programs: str) -> None:
        """Starts programs of the plan and waits until they work. A number at the end makes a second one of a kind."""
        for name in programs:
            made: Program = getattr(self.plan, name.rstrip("23"))()
            argv = tuple(self.instead.get(word, word) for word in made.argv)
            self.supervisor.launch(replace(made, name=name, argv=argv))
        if any(name.startswith("worker") for name in programs):
            self.until(self.worker_is_felt, "The worker takes no tasks.")
        if "web" in programs:
            self.until(self.web_answers, "The web does not answer.")

    def worker_is_felt(self) -> bool:
        return self.valkey.ask("EXISTS", heartbeat.KEY) == b":1\r\n"

    def web_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def manage(self, *argv: str) -> None:
        """A management command, which has to end well."""
        self.supervisor.finish(self.supervisor.command(self.plan.manage(*argv, owner=False)))

    def pid(self, name: str) -> int:
        process = self.supervisor.children[name].process
        assert process is not None
        return process.pid

    def family(self, name: str) -> list[int]:
        """The program's first process and all it started, oldest first."""
        return [self.pid(name), *descendants(self.pid(name))]

    def at_hand(self, victim: str) -> list[int]:
        """What `kill` may choose from: a program's first process, or its children when the victim says so."""
        name, _, child = victim.partition("'s ")
        if self.supervisor.children[name].code is not None:
            return []
        return descendants(self.pid(name)) if child else [self.pid(name)]

    def kill(self, victim: str, dice: Random) -> None:
        os.kill(dice.choice(self.at_hand(victim)), signal.SIGKILL)

    def take_away(self, name: str) -> None:
        """`kill -9`, and nobody starts it again."""
        gone = self.supervisor.children.pop(name)
        gone.kill()
        gone.drain()

    def whole(self) -> bool:
        """Whether every program runs."""
        return all(child.code is None and child.again_at is None for child in self.supervisor.children.values())

    def stop(self) -> None:
        """What uses the servers is killed: a stopped process would hear nothing else, and its work is done."""
        for name, child in self.supervisor.children.items():
            if name not in SERVERS:
                child.kill()
                child.drain()
        self.supervisor.stop()


def descendants(pid: int) -> list[int]:
    """Everything a process started, as the kernel sees it now."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    found = [int(word) for word in words]
    return [*found, *(deeper for child in found for deeper in descendants(child))]


@contextmanager
def house(*programs: str, **options: Any) -> Iterator[House]:
    """A running house. If what happens in it goes wrong, its programs' last lines are shown."""
    with tempfile.TemporaryDirectory(prefix="bnpl-kills-") as folder:
        built = House(Path(folder), **options)
        try:
            built.start_servers()
            built.start(*programs)
            yield built
        except BaseException:
            told = [line for line in built.record.lines if LATE_RING not in line]
            for line in told[-LINES_SHOWN:]:
                print(line)  # noqa: T201  shown because the test fails
            raise
        finally:
            built.stop()


def tally(text: str) -> None:
    """One line an experiment, for whoever asks for the evidence with -s."""
    sys.stdout.write(f"\n{text}\n")
