"""Sends several writes to the database in one message: a round trip costs more than most of the statements in it.

Writes inside `batch_writes` are held back until the next query, and are sent before it in the same message, or else at
the end of the block. So every query sees all earlier writes, in order; only errors of the database are raised later,
though always before the transaction ends.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

_local = threading.local()
#: Between two statements of one message.
SEPARATOR = ";\n"


@contextmanager
def batch_writes() -> Iterator[None]:
    """Hold back writes, inside a transaction. If the block raises, writes still held back are discarded."""
    if getattr(_local, "waiting", None) is not None:
        yield
        return
    _local.waiting = pending = list[tuple[str, Sequence[Any]]]()
    around = connection.execute_wrappers
    around.insert(0, _prepend_waiting)  # outermost, so that the other wrappers see the statements that are really sent
    try:
        yield
        _flush(pending)
    finally:
        around.remove(_prepend_waiting)
        _local.waiting = None


def execute_write(sql: str, params: Sequence[Any]) -> None:
    """Execute a statement that returns no rows: now, or with the other held-back writes."""
    pending = getattr(_local, "waiting", None)
    if pending is not None:
        pending.append((sql, params))
        return
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def _flush(pending: list[tuple[str, Sequence[Any]]]) -> None:
    if pending:
        sql, params = _drain(pending)
        with connection.cursor() as cursor:
            cursor.execute(sql, params)


def _drain(pending: list[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """All held-back writes as one statement; clears the list."""
    sql = SEPARATOR.join(statement for statement, _ in pending)
    params = [value for _, values in pending for value in values]
    pending.clear()
    return sql, params


def _prepend_waiting(
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,  # noqa: FBT001  Django's
    context: dict[str, Any],
) -> Any:
    pending: list[tuple[str, Sequence[Any]]] = _local.waiting
    if not pending:
        return execute(sql, params, many, context)
    if many or not isinstance(params, list | tuple):
        _flush(pending)
        return execute(sql, params, many, context)
    before, values = _drain(pending)
    return execute(f"{before}{SEPARATOR}{sql}", [*values, *params], many, context)
