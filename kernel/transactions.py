"""Transactions that join an outer one instead of creating a savepoint."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from kernel.write_batching import batch_writes


def in_transaction() -> bool:
    """Whether one of our transactions is open. External services are never called while one is."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)  # as Django's own durable check does


@contextmanager
def join_transaction() -> Iterator[None]:
    """A transaction, or part of the outer one without a savepoint: an error inside rolls back the whole.

    Writes inside are sent together (`batch_writes`).

    For functions that are called inside other transactions thousands of times a minute. Errors must be caught outside
    the outer transaction, because Django refuses every further statement inside it.
    """
    with transaction.atomic(savepoint=not in_transaction()), batch_writes():
        yield
