"""Transactions that join an outer one instead of creating a savepoint."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from kernel.write_batching import batch_writes


def in_transaction() -> bool:
    """Whether one of our transactions is open. External services are never called while one is."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)  # as Django's own durable check does


def close_leftover_transaction() -> bool:
    """Close a connection on which an interrupted block left a transaction open. Returns whether there was one.

    A time limit raises between any two instructions, even in Django's own `Atomic`. Every later transaction of this
    thread would be part of the one that is open, or fail. A test's own transaction around it all is left alone.
    """
    if any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        return False
    driver = connection.connection
    is_manual = driver is not None and not (driver.autocommit and connection.autocommit)
    if not (is_manual or connection.in_atomic_block or connection.atomic_blocks):
        return False
    connection.atomic_blocks.clear()
    connection.savepoint_ids.clear()
    connection.in_atomic_block = connection.closed_in_transaction = connection.needs_rollback = False
    connection.close()
    return True


@contextmanager
def join_transaction() -> Iterator[None]:
    """A transaction, or part of the outer one without a savepoint: an error inside rolls back the whole.

    Writes inside are sent together (`batch_writes`).

    For functions that are called inside other transactions thousands of times a minute. Errors must be caught outside
    the outer transaction, because Django refuses every further statement inside it.
    """
    with transaction.atomic(savepoint=not in_transaction()), batch_writes():
        yield
