"""The platform's programs under its own supervisor, for tests that kill them.

PostgreSQL is the test run's, so that tests can query it as usual; in tests that kill PostgreSQL it is the stack's own,
and durable as in production. Valkey is always the stack's own.
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
from bnpl.stack.config import StackConfig
from bnpl.stack.console import Console
from bnpl.stack.embedded import APP, OWNER, Postgres, Valkey
from bnpl.stack.processes import Program
from bnpl.stack.runtime_dirs import RuntimeDirs, choose_runtime_dirs
from bnpl.stack.supervisor import Supervisor
from tests import cluster_template
from tests.services import services
from tests.stack.test_stack import free_port

START_PATIENCE = 60.0
SERVERS = ("postgres", "valkey")
LINES_SHOWN = 60
EXPIRED_TRIGGER = "Discarding revoked task"  # logged for each expired trigger; not worth showing


class RecordingConsole(Console):
    """Keeps the programs' output lines, to be shown when a test fails."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def line(self, name: str, text: str) -> None:
        self.lines.append(f"{self.seconds():7.2f} {name:<9}| {text}")


class RunningStack:
    """The platform's programs; ended ones are restarted while a test waits in `wait_until` or `sleep`."""

    def __init__(
        self, folder: Path, *, durable: bool = False, app: str = "bnpl.celery", python: str = sys.executable
    ) -> None:
        self.replacements = {"bnpl.celery": app, sys.executable: python}
        self.record = RecordingConsole()
        self.supervisor = Supervisor(self.record)
        self.dirs: RuntimeDirs = choose_runtime_dirs(folder)
        self.port = free_port()
        self.valkey = Valkey(self.dirs)
        self.postgres = Postgres(self.dirs) if durable else None
        env = {**os.environ, "BNPL_HOME": str(folder), "REDIS_URL": self.valkey.url, "PYTHONUNBUFFERED": "1"}
        if self.postgres:
            env |= {"DATABASE_URL": self.postgres.url(APP), "DATABASE_OWNER_URL": self.postgres.url(OWNER)}
        env["ALLOWED_HOSTS"] = "127.0.0.1"
        self.config = StackConfig(port=self.port, env=env, postgres=self.postgres, valkey=self.valkey)

    def wait_until(self, condition: Callable[[], bool], message: str, seconds: float = START_PATIENCE) -> float:
        """Wait for a condition while the supervisor does its work. Returns the seconds it took."""
        began = time.monotonic()
        self.supervisor.wait_until(condition, seconds, message)
        return time.monotonic() - began

    def sleep(self, seconds: float) -> None:
        """Let time pass while the supervisor does its work."""
        end = time.monotonic() + seconds
        self.wait_until(lambda: time.monotonic() >= end, "Time stood still.", seconds + 1)

    def start_servers(self) -> None:
        self.start_valkey()
        if self.postgres:
            cluster_template.install_template(self.postgres, services.running)
            self.supervisor.start_service(self.postgres.program())
            self.wait_until(self.postgres.is_ready, "PostgreSQL does not answer.")

    def start_valkey(self) -> None:
        self.supervisor.start_service(self.valkey.program())
        self.wait_until(self.valkey.is_ready, "Valkey does not answer.")

    def start(self, *programs: str) -> None:
        """Start programs and wait until they work. A number at the end of a name starts another one of its kind."""
        for name in programs:
            program: Program = getattr(self.config, name.rstrip("23"))()
            argv = tuple(self.replacements.get(word, word) for word in program.argv)
            self.supervisor.start_service(replace(program, name=name, argv=argv))
        if any(name.startswith("worker") for name in programs):
            self.wait_until(self.worker_is_ready, "The worker takes no tasks.")
        if "web" in programs:
            self.wait_until(self.web_is_ready, "The web does not answer.")

    def worker_is_ready(self) -> bool:
        return self.valkey.send_command("EXISTS", heartbeat.KEY) == b":1\r\n"

    def web_is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def manage(self, *argv: str) -> None:
        """Run a management command, which has to succeed."""
        self.supervisor.wait_for_command(self.supervisor.start_command(self.config.manage(*argv, owner=False)))

    def pid(self, name: str) -> int:
        process = self.supervisor.children[name].process
        assert process is not None
        return process.pid

    def process_ids(self, name: str) -> list[int]:
        """The program's main process and all it started, oldest first."""
        return [self.pid(name), *descendants(self.pid(name))]

    def kill_candidates(self, victim: str) -> list[int]:
        """The processes `kill` may choose from: a program's main process, or its children for "name's child"."""
        name, _, child = victim.partition("'s ")
        if self.supervisor.children[name].exit_code is not None:
            return []
        return descendants(self.pid(name)) if child else [self.pid(name)]

    def kill(self, victim: str, dice: Random) -> None:
        os.kill(dice.choice(self.kill_candidates(victim)), signal.SIGKILL)

    def kill_for_good(self, name: str) -> None:
        """`kill -9` a program that is not restarted."""
        child = self.supervisor.children.pop(name)
        child.kill()
        child.drain()

    def is_complete(self) -> bool:
        """Whether every program is running."""
        return all(child.exit_code is None and child.restart_at is None for child in self.supervisor.children.values())

    def stop(self) -> None:
        """Stop everything. All but the servers are killed, since a SIGSTOPped program would not end otherwise."""
        for name, child in self.supervisor.children.items():
            if name not in SERVERS:
                child.kill()
                child.drain()
        self.supervisor.stop()


def descendants(pid: int) -> list[int]:
    """All descendants of a process, as the kernel sees them now."""
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    children = [int(word) for word in words]
    return [*children, *(deeper for child in children for deeper in descendants(child))]


@contextmanager
def run_stack(*programs: str, **options: Any) -> Iterator[RunningStack]:
    """A running stack. If the test fails, its programs' last lines are printed."""
    with tempfile.TemporaryDirectory(prefix="bnpl-kills-") as folder:
        stack = RunningStack(Path(folder), **options)
        try:
            stack.start_servers()
            stack.start(*programs)
            yield stack
        except BaseException:
            lines = [line for line in stack.record.lines if EXPIRED_TRIGGER not in line]
            for line in lines[-LINES_SHOWN:]:
                print(line)  # noqa: T201  shown because the test fails
            raise
        finally:
            stack.stop()


def print_result(text: str) -> None:
    """Print the result of an experiment, which pytest shows with -s."""
    sys.stdout.write(f"\n{text}\n")
