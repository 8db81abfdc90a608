"""Fault injection: every external effect of a process is wrapped, and the process is killed at one of them.

The product has no hooks for it: SQL statements, commits, channel calls, the bank's writes, Valkey commands and messages
are wrapped at the library's level, so new code is covered without changes here.
"""

import contextlib
import json
import os
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import redis
from django.core.mail import EmailMessage
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from billing.channels import CHANNELS, bank

KILLED = -signal.SIGKILL


@dataclass
class FaultInjector:
    """Counts the points that are passed, and kills the process at the point `die_at`."""

    die_at: int | None
    passed: list[str]

    def point(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.point(f"before {name}")
            result = call(*args, **kwargs)
            self.point(f"after {name}")
            return result

        return wrapped

    def statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        return self.wrap(f"SQL {' '.join(str(sql).split()[:3])}", execute)(sql, *rest)

    @contextmanager
    def at_the_bank(self) -> Iterator[Any]:
        self.point("before the bank's transaction")
        with _bank_books() as cursor:
            yield cursor
        self.point("after the bank's commit")

    @contextmanager
    def installed(self) -> Iterator[None]:
        with (
            connection.execute_wrapper(self.statement),
            mock.patch.object(BaseDatabaseWrapper, "_commit", self.wrap("COMMIT", _commit)),
            mock.patch.object(bank, "bank_transaction", self.at_the_bank),
            mock.patch.object(
                redis.Connection,
                "send_packed_command",
                self.wrap("Valkey command", redis.Connection.send_packed_command),
            ),
            mock.patch.object(EmailMessage, "send", self.wrap("mail", EmailMessage.send)),
            _channels(self),
        ):
            yield


_bank_books = bank.bank_transaction
_commit = BaseDatabaseWrapper._commit  # noqa: SLF001  the database's


@contextmanager
def _channels(injector: FaultInjector) -> Iterator[None]:
    """Wrap every channel's operations."""
    verbs = ("charge", "refund", "pay_out", "query", "close")
    kept = {
        (name, verb): getattr(channel, verb)
        for name, channel in CHANNELS.items()
        for verb in verbs
        if hasattr(channel, verb)
    }
    for (name, verb), call in kept.items():
        setattr(CHANNELS[name], verb, injector.wrap(f"{name}.{verb}", call))
    try:
        yield
    finally:
        for (name, verb), call in kept.items():
            setattr(CHANNELS[name], verb, call)


def run_and_kill(work: Callable[[], None], die_at: int | None = None) -> tuple[int, list[str]]:
    """Run `work` in a forked process that is killed at the given point. Returns its exit code and the points passed.

    A process that completes exits with 0; one that raises prints the exception and exits with 1.
    """
    connection.close()
    bank.close_connection()
    with tempfile.TemporaryDirectory() as folder:
        points_file = Path(folder) / "points"
        pid = os.fork()
        if pid == 0:
            os._exit(_child(work, die_at, points_file))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        passed = json.loads(points_file.read_text()) if points_file.exists() else []
    return code, passed


def _drop_inherited_connection() -> None:
    """Drop the database connection inherited from the parent without closing it, since the parent still uses it.

    A browser kept open by earlier tests runs an event loop in this thread. Django keeps separate connections for code
    with and without a running loop, so the one that the parent closed before the fork may be the other one.
    """
    with contextlib.suppress(AttributeError):
        del connections[DEFAULT_DB_ALIAS]


def _child(work: Callable[[], None], die_at: int | None, points_file: Path) -> int:
    _drop_inherited_connection()
    injector = FaultInjector(die_at, [])
    try:
        with injector.installed():
            work()
        points_file.write_text(json.dumps(injector.passed))
    except BaseException:  # noqa: BLE001  the parent reads the exit code; the reason goes to its captured output
        traceback.print_exc()
        return 1
    return 0
