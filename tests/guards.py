"""A refusal by the database itself, known by its SQLSTATE and the name of the rule: "it failed" proves little."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from django.db import Error, connection, transaction

RESTRICT, CHECK, UNIQUE, FOREIGN_KEY = "23001", "23514", "23505", "23503"
NO_RIGHT = "42501"


@contextmanager
def refused_by(sqlstate: str, constraint: str | None = None) -> Iterator[None]:
    """What happens inside is refused so, in a savepoint of its own; deferred rules speak at its end."""
    caught: Exception | None = None
    try:
        with transaction.atomic():
            yield
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except (Error, psycopg2.Error) as exc:
        caught = exc
    cause = caught if isinstance(caught, psycopg2.Error | None) else caught.__cause__
    assert isinstance(cause, psycopg2.Error), "it was not refused"
    assert (cause.pgcode, cause.diag.constraint_name) == (sqlstate, constraint), cause


def run(sql: str, *values: object) -> int:
    """One statement, as the application's role."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return int(cursor.rowcount)
