"""PostgreSQL and Valkey of the test run. Loaded by `-p tests.services` before pytest-django reads the settings.

Unless DATABASE_URL or REDIS_URL name real servers, both are our own: a fresh cluster in a temporary folder, the same
launcher and the same two roles as `make up`, only that nothing is flushed to the disk, unless a benchmark asks for it
by TESTS_DURABLE=1. A given DATABASE_URL must belong to a superuser of a server that may be played with: a database
test_bnpl_<process> is made and dropped there. In a given REDIS_URL the database next to the named one is emptied after
each test.

Of `pytest -n`, each worker has servers of its own and the one that only hands out the work has none.
"""

import atexit
import base64
import contextlib
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

from bnpl import gc_tuning
from bnpl.stack.embedded import APP, OWNER, SUPERUSER, Postgres, Valkey
from bnpl.stack.processes import ChildProcess, Program
from bnpl.stack.runtime_dirs import CannotStartError, choose_runtime_dirs
from tests import cluster_template

NAME = f"test_bnpl_{os.getpid()}"
PATIENCE_SECONDS = 30.0
#: Tells the workers of `pytest -n` which inherited variables name our own servers, and not given ones.
OURS = "BNPL_TESTS_OWN"
FIXED = {
    "BNPL_POSTURE": "test",
    "DJANGO_SETTINGS_MODULE": "bnpl.settings",
    "BASE_URL": "http://testserver",
    "RATE_READ": "100000000/60",
    "RATE_WRITE": "100000000/60",
    "RATE_ADDRESS": "100000000/60",
    "SECRET_KEY": "insecure-and-fixed-so-that-a-test-run-can-be-repeated-to-the-byte",
    "PII_KEYS": "k1:" + base64.b64encode(b"insecure PII key of the tests 32").decode(),
    "PROOF_KEYS": "p1:" + base64.b64encode(b"insecure proof key of tests, 32b").decode(),
    "BLIND_INDEX_KEY": base64.b64encode(b"insecure blind key of tests, 32b").decode(),
}


#: Directories with the slowest tests: they are started first, so that no worker is idle at the end.
LONGEST = ("kills", "stack", "crashes", "browser", "simulation", "overload", "machine", "sandbox")


class Services:
    """The servers of this test run, and the URLs to connect to them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bnpl-test-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        place = choose_runtime_dirs(self.folder)
        for name in os.environ.get(OURS, "").split():
            os.environ.pop(name, None)
        given = os.environ.get("DATABASE_URL")
        self.postgres = None if given else Postgres(place, durable=os.environ.get("TESTS_DURABLE") == "1")
        self.valkey = None if os.environ.get("REDIS_URL") else Valkey(place, durable=False)
        self.children: list[ChildProcess] = []
        if self.postgres:
            self.superuser_url = self.postgres.url(SUPERUSER, "postgres")
            self.owner_url, self.app_url = self.postgres.url(OWNER, NAME), self.postgres.url(APP, NAME)
        else:
            self.superuser_url = os.environ.get("DATABASE_OWNER_URL") or str(given)
            self.owner_url = self.app_url = with_test_database(self.superuser_url)
        os.environ.update(FIXED)
        os.environ["DATABASE_URL"], os.environ["DATABASE_OWNER_URL"] = self.app_url, self.owner_url
        if not self.postgres:
            os.environ["DATABASE_ROLE"] = APP
        if self.valkey:
            os.environ["REDIS_URL"] = self.valkey.url
        ours = {"DATABASE_URL DATABASE_OWNER_URL": self.postgres, "REDIS_URL": self.valkey}
        os.environ[OURS] = " ".join(names for names, server in ours.items() if server)

    def start(self) -> None:
        if self.valkey:
            self.run(self.valkey.program(), self.valkey.is_ready)
        if self.postgres:
            cluster_template.install_template(self.postgres, self.running)
            self.run(self.postgres.program(), self.postgres.is_ready)

    @contextlib.contextmanager
    def running(self, postgres: Postgres) -> Iterator[None]:
        """Run the server during the block, then stop it cleanly."""
        child = self.run(postgres.program(), postgres.is_ready)
        yield
        child.request_stop()
        self.children.remove(child)
        if child.process is None or child.process.wait(PATIENCE_SECONDS):
            raise CannotStartError("PostgreSQL did not end well.")

    def run(self, program: Program, answers: Callable[[], bool]) -> ChildProcess:
        child = ChildProcess(program, lambda _name, _line: None, is_service=False)
        self.children.append(child)
        child.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not answers():
            if child.exit_code is not None or time.monotonic() > deadline:
                raise CannotStartError(f"{program.name} did not start: {' '.join(child.last_lines)}")
            time.sleep(0.01)
        return child

    def stop(self) -> None:
        for child in self.children:
            child.kill()  # nobody needs these bytes again
            child.drain()

    @contextlib.contextmanager
    def superuser(self, *, inside: bool = True) -> Iterator["psycopg2.extensions.connection"]:
        """A superuser's connection to the test database, or to another one to create and drop it."""
        url = with_test_database(self.superuser_url) if inside else self.superuser_url
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            yield connection


def with_test_database(url: str) -> str:
    """The URL of the test database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{NAME}"))


services = Services()


def pytest_sessionstart(session: pytest.Session) -> None:
    hands_out = session.config.option.dist != "no" and "PYTEST_XDIST_WORKER" not in os.environ
    if not hands_out:
        gc.disable()  # collecting the tests creates a million objects that all stay
    if not (session.config.option.collectonly or hands_out):
        services.start()


def pytest_collection_finish() -> None:
    """Tests and imports stay to the end, so they are excluded from garbage collection."""
    gc_tuning.freeze_loaded_objects()
    gc.enable()


def pytest_unconfigure() -> None:
    services.stop()


def pytest_configure(config: pytest.Config) -> None:
    """After pytest-django's own, so that our fixtures of the same names win."""
    config.pluginmanager.import_plugin("tests.database")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(name) if (name := item.path.parent.name) in LONGEST else len(LONGEST))
