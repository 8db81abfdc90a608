"""The baseline's database on the same PostgreSQL, and its web server: granian, two workers, threads."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from urllib.parse import urlsplit, urlunsplit

from bnpl.stack.home import PROJECT_DIR
from bnpl.stack.processes import ChildProcess, Program
from tests.services import services as servers
from tests.stack.test_stack import free_port

NAME, SECRET = "naive", "sk_live_naive"
_WEB = ("granian", "--interface", "wsgi", "--http", "1", "--workers", "2", "--blocking-threads", "4", "--no-ws")
_PATIENCE = 30.0


@dataclass(slots=True)
class Baseline:
    """What one writes first, running."""

    env: dict[str, str]
    agreements: list[str]
    turns: Iterator[int]
    port: int = 0
    pid: int = 0

    def agreement(self) -> str:
        return self.agreements[next(self.turns) % len(self.agreements)]

    def run(self, *argv: str) -> str:
        """One of its programs, to its end; what it printed."""
        return run(self.env, *argv)


def run(env: dict[str, str], *argv: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=PROJECT_DIR, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


def create_baseline(people: int, *, name: str = NAME) -> Baseline:
    """A database of its own with this many people."""
    with servers.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(servers.superuser_url)._replace(path=f"/{name}"))
    env = {**os.environ, "NAIVE_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.baselines.settings"}
    return Baseline(env, json.loads(run(env, "benchmarks.baselines.fill", str(people))), count())


@contextmanager
def run_baseline_server(people: int) -> Iterator[Baseline]:
    """Its web is up."""
    baseline = create_baseline(people)
    baseline.port = free_port()
    register_endpoints = ("--host", "127.0.0.1", "--port", str(baseline.port), "--log-level", "warning")
    argv = (sys.executable, "-m", *_WEB, *register_endpoints, "benchmarks.baselines.wsgi:application")
    web = ChildProcess(
        Program(name="naive", argv=argv, folder=PROJECT_DIR, env=baseline.env),
        lambda _name, _line: None,
        is_service=True,
    )
    web.start()
    try:
        _await(baseline.port, web)
        if web.process is not None:
            baseline.pid = web.process.pid
        yield baseline
    finally:
        web.kill()
        web.drain()


def _await(port: int, web: ChildProcess) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and web.exit_code is None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            line.request("GET", "/orders/")
            line.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            line.close()
    raise RuntimeError(f"The baseline does not answer: {' '.join(web.last_lines)}")
