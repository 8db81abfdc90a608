"""A question that is asked thousands of times, planned once by each connection that asks it.

Planning a wide question costs more than answering it from indexes. A pooler may hand each transaction another
connection, so whether this one knows the question is asked in the same transaction.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.db import connection

from kernel.transactions import joined


class Question:
    """SQL over `$1`, `$2` …, whose types are named."""

    def __init__(self, sql: str, types: Sequence[str]) -> None:
        self._sql = sql
        self._name = f"q_{hashlib.sha256(repr((sql, types)).encode()).hexdigest()[:24]}"
        self._types = ", ".join(types)
        self._ask = f"SET LOCAL plan_cache_mode = force_generic_plan; EXECUTE {self._name}"
        self._ask += f" ({', '.join(['%s'] * len(types))})"

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """The answer for these values."""
        with joined(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_prepared_statements WHERE name = %s", [self._name])
            if cursor.fetchone() is None:
                cursor.execute(f"PREPARE {self._name} ({self._types}) AS {self._sql}")
            cursor.execute(self._ask, list(values))
            return list(cursor.fetchall())
