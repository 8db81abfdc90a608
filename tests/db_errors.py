"""Asserts that the database itself refuses something, by its SQLSTATE and constraint name."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from django.db import Error, connection, transaction

RESTRICT, CHECK, UNIQUE, FOREIGN_KEY = "23001", "23514", "23505", "23503"
NO_RIGHT = "42501"


@contextmanager
def raises_db_error(sqlstate: str, constraint: str | None = None) -> Iterator[None]:
    """The block, in a savepoint of its own, raises this error; deferred constraints are checked at its end."""
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


def raise_sqlstate(sqlstate: str) -> None:
    """Raise the error with this SQLSTATE, as the server and Django raise it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{sqlstate}'; END $$")


def execute_sql(sql: str, *values: object) -> int:
    """Execute a statement as the application's role. Returns the number of rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return int(cursor.rowcount)
