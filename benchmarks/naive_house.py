"""The baseline's own database on the same PostgreSQL, and its web on the same server: granian, two workers, threads."""

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

from bnpl.stack.home import CHECKOUT
from bnpl.stack.processes import Child, Program
from tests.services import services as servers
from tests.stack.test_stack import free_port

NAME, SECRET = "naive", "sk_live_naive"
_WEB = ("granian", "--interface", "wsgi", "--http", "1", "--workers", "2", "--blocking-threads", "4", "--no-ws")
_PATIENCE = 30.0


@dataclass(slots=True)
class Naive:
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
        [sys.executable, "-m", *argv], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr[-2000:]}")
    return done.stdout


def furnish(people: int, *, name: str = NAME) -> Naive:
    """A database of its own with this many people."""
    with servers.superuser(inside=False) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(servers.superuser_url)._replace(path=f"/{name}"))
    env = {**os.environ, "NAIVE_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "benchmarks.baselines.settings"}
    return Naive(env, json.loads(run(env, "benchmarks.baselines.fill", str(people))), count())


@contextmanager
def serving(people: int) -> Iterator[Naive]:
    """Its web is up."""
    naive = furnish(people)
    naive.port = free_port()
    listen = ("--host", "127.0.0.1", "--port", str(naive.port), "--log-level", "warning")
    argv = (sys.executable, "-m", *_WEB, *listen, "benchmarks.baselines.wsgi:application")
    web = Child(
        Program(name="naive", argv=argv, folder=CHECKOUT, env=naive.env), lambda _name, _line: None, lasting=True
    )
    web.start()
    try:
        _await(naive.port, web)
        if web.process is not None:
            naive.pid = web.process.pid
        yield naive
    finally:
        web.kill()
        web.drain()


def _await(port: int, web: Child) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and web.code is None:
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
