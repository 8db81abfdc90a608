"""Proof that nothing moved: a fingerprint of every row of every table, ours and the sandbox bank's.

But for the audit: what a colleague tried is written down, be it refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from django.db import connection

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'sandbox_bank')
  AND c.relname NOT IN ('django_migrations', 'kernel_auditline', 'kernel_audithead')
ORDER BY 1
"""


@lru_cache(maxsize=1)
def _tables() -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return tuple(row[0] for row in cursor.fetchall())


def _row(table: str) -> str:
    """A row as text. That a key was shown is kept to the hour, and is no effect of what was asked with it."""
    return "(to_jsonb(t) - 'used_at')::text" if table == "public.merchants_apikey" else "t::text"


def contents(*but: str) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and a sum over all that stands in them."""
    tables = [name for name in _tables() if name.partition(".")[2] not in but]
    parts = [
        f"SELECT '{name}', count(*), coalesce(sum(hashtextextended({_row(name)}, 0)), 0)::text FROM {name} t"  # noqa: S608
        for name in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {name: (count, digest) for name, count, digest in cursor.fetchall()}


@contextmanager
def nothing_moves(*but: str) -> Iterator[None]:
    """Whatever happens inside leaves every table as it was, except those named."""
    before = contents(*but)
    yield
    after = contents(*but)
    assert {name for name in before if before[name] != after[name]} == set()
