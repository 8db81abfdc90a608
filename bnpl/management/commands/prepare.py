"""Brings the database to what this code expects: tables by `migrate`, rights by `grant`. Run as the tables' owner."""

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
#: Under another key nobody's phone is found, whoever signs in is somebody new, and the audit breaks at the next line.
OTHER_KEY = (
    "BLIND_INDEX_KEY is not the one that this database was written with; give that one, and start nothing with another."
    " If it is the right one, somebody changed the end of the audit: see manage.py verify."
)
#: What is sealed under a key that is gone opens never again.
KEY_GONE = "PII_KEYS lacks what people's own data is sealed under: {names}. List it behind the others."

#: Who did something within so many seconds is at work; processes that were just stopped are waited for a little longer.
LATELY_SECONDS, WAITS_FOR_THEM_SECONDS = 3.0, 10.0
#: What they write meanwhile may break a rule that a later migration makes: then neither code works with what is there.
AT_WORK = (
    "Something still works in this database ({clients}), and there are migrations to be made beside it. Stop web,"
    " worker, clerk, courier and beat first: see docs/operations.md, Another release."
)
#: A pooler keeps its lines, so that nobody is counted who says nothing.
CLIENTS = """
SELECT DISTINCT coalesce(host(client_addr), 'this machine') FROM pg_stat_activity
WHERE datname = current_database() AND usename IN (%s, current_user) AND application_name <> %s
  AND (state <> 'idle' OR state_change > clock_timestamp() - make_interval(secs => %s)) ORDER BY 1
"""
#: Of several at once, as of several hosts that start together, one migrates; Django would let each begin the same.
NAME, TURN = "bnpl prepare", 5_786_104_212


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: tuple[str, ...] = ()  # `make check` has made them; a first start should not wait for them

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
        # Each migration draws every model anew, some thousands in all: collecting the old ones is a sixth of the time.
        gc.disable()
        try:
            with _in_turn(self.stdout.write):
                if not options["beside_the_old_code"]:
                    _await_silence()
                self.prepare(options)
        finally:
            gc.enable()

    def prepare(self, options: Mapping[str, Any]) -> None:
        """A migration waiting for a lock makes everybody behind it wait: it gives up after a second and tries again."""
        for _ in range(TRIES):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '1s'")
                call_command("migrate", interactive=False, verbosity=options["verbosity"], stdout=self.stdout)
                call_command("grant", stdout=self.stdout)
                if not options["whatever_the_keys"]:
                    _judge_keys()
            except OperationalError as failure:
                if not isinstance(failure.__cause__, psycopg2.errors.LockNotAvailable):
                    raise
                self.stdout.write("A table is in use; trying again.")
                time.sleep(PAUSE_SECONDS)
            else:
                return
        raise CommandError(f"A table stayed locked through {TRIES} tries; nothing of the open migration was kept.")


def _judge_keys() -> None:
    """Before anything is started with them.

    Raises:
        CommandError: they are not those that the data was written with.
    """
    if missing := encryption.names_missing():
        raise CommandError(KEY_GONE.format(names=", ".join(missing)))
    if not audit.ends_as_sealed():
        raise CommandError(OTHER_KEY)


@contextmanager
def _in_turn(say: Callable[[str], object]) -> Iterator[None]:
    """While nobody else prepares this database: whoever does is waited for; a turn ends with its line at the latest."""
    with connection.cursor() as cursor:
        cursor.execute("SET application_name = %s", [NAME])
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [TURN])
        if not cursor.fetchone()[0]:
            say("Somebody else prepares this database; waiting for them.")
            cursor.execute("SELECT pg_advisory_lock(%s)", [TURN])
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [TURN])


def _await_silence() -> None:
    """Where there is something to migrate, and somebody may be at work.

    Raises:
        CommandError: somebody is, and does not end.
    """
    executor = MigrationExecutor(connection)
    if not executor.loader.applied_migrations or not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    until = time.monotonic() + WAITS_FOR_THEM_SECONDS
    while clients := _at_work():
        if time.monotonic() > until:
            raise CommandError(AT_WORK.format(clients=", ".join(clients)))
        time.sleep(PAUSE_SECONDS)


def _at_work() -> list[str]:
    """Whence whoever did something in this database lately is connected."""
    with connection.cursor() as cursor:
        cursor.execute(CLIENTS, [ROLE, NAME, LATELY_SECONDS])
        return [client for (client,) in cursor.fetchall()]
