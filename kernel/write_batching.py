"""Sends several writes to the database in one message: a round trip costs more than most of the statements in it.

Writes inside `batch_writes` are held back until the next query, and are sent before it in the same message, or else at
the end of the block. So every query sees all earlier writes, in order; only errors of the database are raised later,
though always before the transaction ends. A rollback, also to a savepoint, discards what is held back.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

_local = threading.local()
#: Between two statements of one message.
SEPARATOR = ";\n"
_SAVEPOINT_ROLLBACK = "ROLLBACK TO SAVEPOINT"


@contextmanager
def batch_writes() -> Iterator[None]:
    """Hold back writes, inside a transaction. If the block raises, writes still held back are discarded."""
    if getattr(_local, "waiting", None) is not None:
        yield
        return
    pending = list[tuple[str, Sequence[Any]]]()
    around = connection.execute_wrappers
    try:
        _local.waiting = pending
        around.insert(0, _prepend_waiting)  # outermost, so that the other wrappers see the statements really sent
        yield
        _flush(pending)
    finally:
        _local.waiting = None
        _discard(pending)
        if _prepend_waiting in around:  # a time limit may have interrupted this before it was inserted
            around.remove(_prepend_waiting)


def discard_leftover_batch() -> bool:
    """Discard a batch that an interrupted block left open. Returns whether there was one.

    A time limit raises between any two instructions, even in the cleanup above. Later writes of this thread would be
    held back for ever.
    """
    pending = getattr(_local, "waiting", None)
    _local.waiting = None
    connection.execute_wrappers[:] = [it for it in connection.execute_wrappers if it is not _prepend_waiting]
    return pending is not None


def discard_count() -> int:
    """How often held-back writes of this thread were discarded, and with them whatever they would have set."""
    return getattr(_local, "discards", 0)


def _discard(pending: list[tuple[str, Sequence[Any]]]) -> None:
    if pending:
        pending.clear()
        _local.discards = discard_count() + 1


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
    pending: list[tuple[str, Sequence[Any]]] | None = getattr(_local, "waiting", None)
    if pending and sql.startswith(_SAVEPOINT_ROLLBACK):
        _discard(pending)  # younger than the savepoint, because SAVEPOINT sends what waits before it
    if not pending:
        return execute(sql, params, many, context)
    if many or not isinstance(params, list | tuple):
        _flush(pending)
        return execute(sql, params, many, context)
    before, values = _drain(pending)
    return execute(f"{before}{SEPARATOR}{sql}", [*values, *params], many, context)
