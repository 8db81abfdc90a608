"""A job that dies in the middle: at a statement, a COMMIT, or a call of the channel, as a killed process would.

The database sees what it sees of a kill: what was committed stays, what was not is gone. Nothing is labelled in the
product; whatever passes one of these doors passes here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

#: What a question's compiling says, the first time in the life of a process: no life of a seed depends on it.
_BY_THE_WAY = frozenset({"SAVEPOINT", "RELEASE"})
_commit = BaseDatabaseWrapper._commit  # noqa: SLF001  the database's one door


class Crash(BaseException):
    """The process is gone. No `except Exception` of the product can hear of it."""


class Doors:
    """Counts the doors that are passed, and ends the job when its number comes up."""

    def __init__(self) -> None:
        self.left = 0
        #: Whether anything was said in this transaction.
        self.said = False

    def die_after(self, doors: int) -> None:
        """At so manieth a door from now; 0 for not at all."""
        self.left = doors

    def point(self, name: str) -> None:
        """A door is passed."""
        if self.left:
            self.left -= 1
            if not self.left:
                raise Crash(name)

    def statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        words = sql.split(maxsplit=3)
        self.said = True
        if words[0] in _BY_THE_WAY:
            return execute(sql, *rest)
        name = " ".join(words[: 3 if words[0] == "INSERT" else 1])
        self.point(f"before {name}")
        result = execute(sql, *rest)
        self.point(f"after {name}")
        return result

    def commit(self, wrapper: BaseDatabaseWrapper) -> None:
        said, self.said = self.said, False
        if not said:
            _commit(wrapper)
            return
        try:
            self.point("before COMMIT")
        except Crash:
            wrapper._rollback()  # noqa: SLF001  what the server does when the line goes dead
            raise
        _commit(wrapper)
        self.point("after COMMIT")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Stand at every door of the database. A channel calls `point` at its own."""

        def commit(wrapper: BaseDatabaseWrapper) -> None:
            self.commit(wrapper)

        with connection.execute_wrapper(self.statement), mock.patch.object(BaseDatabaseWrapper, "_commit", commit):
            yield
