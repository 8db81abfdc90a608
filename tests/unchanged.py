"""Asserts that no table changed, by a digest of every row, also of the sandbox bank's tables.

Except the audit log: what a colleague tried is recorded even if it is refused.
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
    """A row as text, without when an API key was last used, which every request may update."""
    return "(to_jsonb(t) - 'used_at')::text" if table == "public.merchants_apikey" else "t::text"


def table_digests(*but: str) -> dict[str, tuple[int, str]]:
    """The number of rows of each table, and a digest of their contents."""
    tables = [name for name in _tables() if name.partition(".")[2] not in but]
    parts = [
        f"SELECT '{name}', count(*), coalesce(sum(hashtextextended({_row(name)}, 0)), 0)::text FROM {name} t"  # noqa: S608
        for name in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {name: (count, digest) for name, count, digest in cursor.fetchall()}


@contextmanager
def assert_unchanged(*but: str) -> Iterator[None]:
    """The block changes no table except those named."""
    before = table_digests(*but)
    yield
    after = table_digests(*but)
    assert {name for name in before if before[name] != after[name]} == set()
