"""`python -m bnpl.stack` is started, started twice, stopped, killed, and started again."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

pytestmark = pytest.mark.stack
CHECKOUT = Path(__file__).resolve().parent.parent.parent
OURS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ROLE", "REDIS_URL", "BNPL_POSTURE", "BASE_URL", "SECRET_KEY")
#: What these tests show is that it happens; a busy machine may take its time.
START_PATIENCE, STOP_PATIENCE = 150.0, 30.0


class Stack:
    """One home and one port, which several starts share."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        secret = {"PII_KEYS", "BLIND_INDEX_KEY", "PROOF_KEYS"}
        env = {name: value for name, value in os.environ.items() if name not in {*OURS, *secret}}
        env |= {"BNPL_HOME": str(self.home), "PORT": str(self.port)}
        with (self.home.parent / "lines").open("a") as lines:
            command = [sys.executable, "-m", "bnpl.stack"]
            process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                command, cwd=CHECKOUT, env=env, stdout=lines, stderr=lines, text=True, start_new_session=True
            )
        self.processes.append(process)
        return process

    def lines(self) -> str:
        return (self.home.parent / "lines").read_text(encoding="utf-8")

    def await_ready(self, process: subprocess.Popen[str]) -> float:
        began = time.monotonic()
        while self.get_status("/readyz") != http.HTTPStatus.OK:
            assert process.poll() is None, self.lines()
            assert time.monotonic() - began < START_PATIENCE, self.lines()
            time.sleep(0.05)
        return time.monotonic() - began

    def await_line(self, line: str) -> None:
        deadline = time.monotonic() + STOP_PATIENCE
        while line not in self.lines():
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.05)

    def get_status(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def process_ids(self) -> set[int]:
        """Every process of this home's, found by the folder in its command line or in its environment."""
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                text = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
            except OSError:
                continue  # it ended between two looks
            if str(self.home).encode() in text:
                found.add(int(folder.name))
        return found

    def database(self) -> "psycopg2.extensions.connection":
        told = json.loads((self.home / "environment.json").read_text(encoding="utf-8"))
        connection = psycopg2.connect(told["DATABASE_OWNER_URL"])
        connection.autocommit = True
        return connection


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ended(stack: Stack, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while stack.process_ids() and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in stack.process_ids():
        print(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))  # noqa: T201 (shown if the test fails)
    return not stack.process_ids()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="bnpl-stack-") as folder:
        Path(folder).chmod(0o755)  # as root the database runs as nobody, who has to walk through it
        stack = Stack(Path(folder) / "home")
        yield stack
        for pid in stack.process_ids():
            os.kill(pid, signal.SIGKILL)
        for process in stack.processes:
            process.wait()
        wait_until_ended(stack, STOP_PATIENCE)


@pytest.fixture
def running(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    process = stack.start()
    stack.await_ready(process)
    yield process
    if process.poll() is None:
        process.terminate()
        assert process.wait(timeout=STOP_PATIENCE) == 0, stack.lines()


def test_a_taken_port_is_reported_and_nothing_starts(stack: Stack) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        refused = stack.start()
        assert refused.wait(timeout=STOP_PATIENCE) == 1
    assert f"Port {stack.port} is taken" in stack.lines()
    assert not stack.process_ids()


def test_a_second_start_is_refused_and_ctrl_c_stops_the_first(stack: Stack, running: subprocess.Popen[str]) -> None:
    second = stack.start()
    assert second.wait(timeout=STOP_PATIENCE) == 1
    told = rf"already running from \S+home \(process {running.pid}, http://127.0.0.1:{stack.port}\)"
    assert re.search(told, stack.lines())
    stack.await_ready(running)  # the first took no harm
    assert stack.get_status("/healthz") == http.HTTPStatus.OK

    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=STOP_PATIENCE) == 0, stack.lines()
    assert wait_until_ended(stack, STOP_PATIENCE), "a program outlived its supervisor"
    assert stack.lines().endswith("Stopped.\n")


def test_secrets_and_data_are_for_their_owner_alone(stack: Stack) -> None:
    for name in ("secrets.json", "environment.json"):
        assert (stack.home / name).stat().st_mode & 0o777 == 0o600
    for folder in ("postgres", "valkey"):
        assert (stack.home / folder).stat().st_mode & 0o777 == 0o700


def test_an_ended_program_is_restarted(stack: Stack, running: subprocess.Popen[str]) -> None:
    fallen = [pid for pid in stack.process_ids() if b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(fallen[0], signal.SIGKILL)
    stack.await_line("valkey ended (killed by SIGKILL); again in 0.2 s")
    stack.await_ready(running)


def test_nothing_is_lost_when_everything_is_killed(stack: Stack, running: subprocess.Popen[str]) -> None:
    with closing(stack.database()) as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE kept AS SELECT 'still here' AS word")
    secrets = (stack.home / "secrets.json").read_text(encoding="utf-8")
    for pid in stack.process_ids():
        os.kill(pid, signal.SIGKILL)
    running.wait()

    again = stack.start()
    stack.await_ready(again)
    with closing(stack.database()) as database, database.cursor() as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("still here",)]
    assert (stack.home / "secrets.json").read_text(encoding="utf-8") == secrets

    again.kill()  # the supervisor alone: the kernel tells its programs to go
    again.wait()
    assert wait_until_ended(stack, STOP_PATIENCE), "a program outlived its killed supervisor"
