"""The doors a process has to the world, found by wrapping, and the process that dies at one of them.

Nothing in the product is labelled: whatever runs a statement, commits, calls a channel, writes at the bank, talks to
Valkey or sends a message passes here, so new code is covered by itself.
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
class Doors:
    """Counts what passes, and ends the process when its number comes up."""

    die_at: int | None
    passed: list[str]

    def point(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def passing(*args: Any, **kwargs: Any) -> Any:
            self.point(f"before {name}")
            result = call(*args, **kwargs)
            self.point(f"after {name}")
            return result

        return passing

    def statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        return self.around(f"SQL {' '.join(str(sql).split()[:3])}", execute)(sql, *rest)

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
            mock.patch.object(BaseDatabaseWrapper, "_commit", self.around("COMMIT", _commit)),
            mock.patch.object(bank, "books", self.at_the_bank),
            mock.patch.object(
                redis.Connection,
                "send_packed_command",
                self.around("Valkey command", redis.Connection.send_packed_command),
            ),
            mock.patch.object(EmailMessage, "send", self.around("mail", EmailMessage.send)),
            _channels(self),
        ):
            yield


_bank_books = bank.books
_commit = BaseDatabaseWrapper._commit  # noqa: SLF001  the database's


@contextmanager
def _channels(doors: Doors) -> Iterator[None]:
    """Every channel's verbs."""
    verbs = ("charge", "give_back", "pay_out", "query", "close")
    kept = {
        (name, verb): getattr(channel, verb)
        for name, channel in CHANNELS.items()
        for verb in verbs
        if hasattr(channel, verb)
    }
    for (name, verb), call in kept.items():
        setattr(CHANNELS[name], verb, doors.around(f"{name}.{verb}", call))
    try:
        yield
    finally:
        for (name, verb), call in kept.items():
            setattr(CHANNELS[name], verb, call)


def run_and_die(work: Callable[[], None], die_at: int | None = None) -> tuple[int, list[str]]:
    """Run `work` in a process of its own that is killed at the given point. Its exit code, and the points passed.

    A process that lives to the end exits 0; one that raises exits 1, and says why.
    """
    connection.close()
    bank.hang_up()
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "points"
        pid = os.fork()
        if pid == 0:
            os._exit(_child(work, die_at, told))
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        passed = json.loads(told.read_text()) if told.exists() else []
    return code, passed


def _forget_lines() -> None:
    """Leave a line to the database that was inherited to the parent, unused: what dies with us must die alone.

    A browser kept open by earlier tests has a loop in this thread, so the parent's line is not the one it closed: lines
    are told apart by whether a loop runs, and in a child none does.
    """
    with contextlib.suppress(AttributeError):
        del connections[DEFAULT_DB_ALIAS]


def _child(work: Callable[[], None], die_at: int | None, told: Path) -> int:
    _forget_lines()
    doors = Doors(die_at, [])
    try:
        with doors.installed():
            work()
        told.write_text(json.dumps(doors.passed))
    except BaseException:  # noqa: BLE001  the parent reads the exit code; the reason goes to its captured output
        traceback.print_exc()
        return 1
    return 0
