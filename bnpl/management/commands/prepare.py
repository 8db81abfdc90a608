"""Prepares the database for this code: tables by `migrate`, privileges by `grant`. Run it as the tables' owner."""

import gc
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2.errors
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from kernel import audit, encryption
from kernel.management.commands.grant import ROLE

TRIES = 30
PAUSE_SECONDS = 1.0
#: Under another key no phone number is found, everyone who signs in becomes a new user, and the audit chain breaks.
WRONG_KEY_MESSAGE = (
    "BLIND_INDEX_KEY is not the one that this database was written with; give that one, and start nothing with another."
    " If it is the right one, somebody changed the end of the audit: see manage.py verify."
)
#: Data encrypted under a lost key can never be decrypted again.
MISSING_KEY_MESSAGE = "PII_KEYS lacks what people's own data is sealed under: {names}. List it behind the others."

#: A client that ran a statement within this many seconds is active; how long to wait for active ones to stop.
ACTIVE_SECONDS, WAIT_SECONDS = 3.0, 10.0
#: What they write meanwhile may violate a constraint of a later migration: then neither release works with the data.
ACTIVE_CLIENTS_MESSAGE = (
    "Something still works in this database ({clients}), and there are migrations to be made beside it. Stop web,"
    " worker, clerk, courier and beat first: see docs/operations.md, Upgrading."
)
#: A pooler keeps idle connections open, so only clients that ran a statement lately count.
ACTIVE_CLIENTS_QUERY = """
SELECT DISTINCT coalesce(host(client_addr), 'this machine') FROM pg_stat_activity
WHERE datname = current_database() AND usename IN (%s, current_user) AND application_name <> %s
  AND (state <> 'idle' OR state_change > clock_timestamp() - make_interval(secs => %s)) ORDER BY 1
"""
#: When several hosts start together, one migrates at a time; Django itself would let each apply the same migration.
APPLICATION_NAME, ADVISORY_LOCK = "bnpl prepare", 5_786_104_212


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: tuple[str, ...] = ()  # `make check` runs them; a first start should not wait for them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--whatever-the-keys",
            action="store_true",
            help="go on with keys that the data was not written with: where those are lost for good",
        )
        parser.add_argument(
            "--beside-the-old-code",
            action="store_true",
            help="migrate although something still works in the database",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        # Each migration renders every model again, thousands in all: collecting the old ones takes a sixth of the time.
        gc.disable()
        try:
            with _exclusive_lock(self.stdout.write):
                if not options["beside_the_old_code"]:
                    _wait_until_idle()
                self.prepare(options)
        finally:
            gc.enable()

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Migrate and grant. A migration gives up after waiting a second for a lock, since it blocks all queries queued
        behind it, and is tried again.
        """
        for _ in range(TRIES):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '1s'")
                call_command("migrate", interactive=False, verbosity=options["verbosity"], stdout=self.stdout)
                call_command("grant", stdout=self.stdout)
                if not options["whatever_the_keys"]:
                    _check_keys()
            except OperationalError as failure:
                if not isinstance(failure.__cause__, psycopg2.errors.LockNotAvailable):
                    raise
                self.stdout.write("A table is in use; trying again.")
                time.sleep(PAUSE_SECONDS)
            else:
                return
        raise CommandError(f"A table stayed locked through {TRIES} tries; nothing of the open migration was kept.")


def _check_keys() -> None:
    """Check the keys against the data.

    Raises:
        CommandError: the data was written with other keys.
    """
    if missing := encryption.missing_key_names():
        raise CommandError(MISSING_KEY_MESSAGE.format(names=", ".join(missing)))
    if not audit.is_head_valid():
        raise CommandError(WRONG_KEY_MESSAGE)


@contextmanager
def _exclusive_lock(write: Callable[[str], object]) -> Iterator[None]:
    """Hold the advisory lock of `prepare`, which is released with the connection at the latest."""
    with connection.cursor() as cursor:
        cursor.execute("SET application_name = %s", [APPLICATION_NAME])
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK])
        if not cursor.fetchone()[0]:
            write("Somebody else prepares this database; waiting for them.")
            cursor.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ADVISORY_LOCK])


def _wait_until_idle() -> None:
    """If there are migrations to apply to an existing database, wait until no other client is active.

    Raises:
        CommandError: clients stay active.
    """
    executor = MigrationExecutor(connection)
    if not executor.loader.applied_migrations or not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while clients := _active_clients():
        if time.monotonic() > deadline:
            raise CommandError(ACTIVE_CLIENTS_MESSAGE.format(clients=", ".join(clients)))
        time.sleep(PAUSE_SECONDS)


def _active_clients() -> list[str]:
    """The addresses of clients that were active in this database lately."""
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE_CLIENTS_QUERY, [ROLE, APPLICATION_NAME, ACTIVE_SECONDS])
        return [client for (client,) in cursor.fetchall()]
