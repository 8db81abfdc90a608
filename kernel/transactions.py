"""Transactions that join the one around them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from kernel.write_batching import together


def in_transaction() -> bool:
    """Whether a transaction of ours is open. The outside world is never called while one is."""
    blocks = connection.atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)  # as Django's own durable check does


@contextmanager
def joined() -> Iterator[None]:
    """One transaction, or a part of the one around it, without a savepoint: what fails inside undoes the whole.

    What is written inside leaves together.

    For what others call in the middle of their own transaction, thousands of times a minute. Whoever catches what was
    raised here must stand outside the outer one: Django refuses every further statement inside it.
    """
    with transaction.atomic(savepoint=not in_transaction()), together():
        yield
