"""Writes that leave for the database together: a message costs more than most of the statements in it.

What is written inside `together` waits until something is asked, and goes before the question in the same message, or
until the end. So everybody sees what was written before, in its order; only what the database refuses is heard later,
though always before the transaction ends.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

_here = threading.local()
#: Between two statements of one message.
BETWEEN = ";\n"


@contextmanager
def together() -> Iterator[None]:
    """Inside a transaction: what is written from here on may wait. What failed inside is not written at all."""
    if getattr(_here, "waiting", None) is not None:
        yield
        return
    _here.waiting = waiting = list[tuple[str, Sequence[Any]]]()
    around = connection.execute_wrappers
    around.insert(0, _after_what_waits)  # around all others: whoever listens hears what is really sent
    try:
        yield
        _send(waiting)
    finally:
        around.remove(_after_what_waits)
        _here.waiting = None


def write(sql: str, params: Sequence[Any]) -> None:
    """A statement that answers nothing: sent now, or with the others."""
    waiting = getattr(_here, "waiting", None)
    if waiting is not None:
        waiting.append((sql, params))
        return
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _send(waiting: list[tuple[str, Sequence[Any]]]) -> None:
    if waiting:
        sql, params = _message(waiting)
        with connection.cursor() as cursor:
            cursor.execute(sql, params)


def _message(waiting: list[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """All of it as one, and nothing waits any more."""
    sql = BETWEEN.join(statement for statement, _ in waiting)
    params = [value for _, values in waiting for value in values]
    waiting.clear()
    return sql, params


def _after_what_waits(
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,  # noqa: FBT001  Django's
    context: dict[str, Any],
) -> Any:
    waiting: list[tuple[str, Sequence[Any]]] = _here.waiting
    if not waiting:
        return execute(sql, params, many, context)
    if many or not isinstance(params, list | tuple):
        _send(waiting)
        return execute(sql, params, many, context)
    before, values = _message(waiting)
    return execute(f"{before}{BETWEEN}{sql}", [*values, *params], many, context)
