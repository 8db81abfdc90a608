"""Crashes a job in the middle: at a SQL statement, a COMMIT or a channel call, like a killed process.

As with a kill, what was committed stays and the rest is rolled back. The product code has no hooks: all statements and
channel calls are intercepted here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

#: Statements that Django issues only the first time in a process; not counted, so that runs of a seed stay equal.
_UNCOUNTED = frozenset({"SAVEPOINT", "RELEASE"})
_commit = BaseDatabaseWrapper._commit  # noqa: SLF001  the one place that commits


class Crash(BaseException):
    """The simulated kill. A BaseException, so that no `except Exception` in the product catches it."""


class CrashPoints:
    """Counts the crash points that are reached, and crashes the job at the chosen one."""

    def __init__(self) -> None:
        self.left = 0
        #: Whether this transaction has executed any statement.
        self.has_statements = False

    def die_after(self, doors: int) -> None:
        """Crash at the given number of points from now; 0 for never."""
        self.left = doors

    def reach(self, name: str) -> None:
        """Reach a crash point; raises Crash if it is the chosen one."""
        if self.left:
            self.left -= 1
            if not self.left:
                raise Crash(name)

    def statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        words = sql.split(maxsplit=3)
        self.has_statements = True
        if words[0] in _UNCOUNTED:
            return execute(sql, *rest)
        name = " ".join(words[: 3 if words[0] == "INSERT" else 1])
        self.reach(f"before {name}")
        result = execute(sql, *rest)
        self.reach(f"after {name}")
        return result

    def commit(self, wrapper: BaseDatabaseWrapper) -> None:
        said, self.has_statements = self.has_statements, False
        if not said:
            _commit(wrapper)
            return
        try:
            self.reach("before COMMIT")
        except Crash:
            wrapper._rollback()  # noqa: SLF001  what the server does when the connection is lost
            raise
        _commit(wrapper)
        self.reach("after COMMIT")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Intercept all statements and commits. A channel calls `reach` itself."""

        def commit(wrapper: BaseDatabaseWrapper) -> None:
            self.commit(wrapper)

        with connection.execute_wrapper(self.statement), mock.patch.object(BaseDatabaseWrapper, "_commit", commit):
            yield
