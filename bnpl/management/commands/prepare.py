"""Brings the database to what this code expects: tables by `migrate`, rights by `grant`. Run as the tables' owner."""

import gc
import time
from typing import Any

import psycopg2.errors
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

TRIES = 30
PAUSE_SECONDS = 1.0


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: tuple[str, ...] = ()  # `make check` has made them; a first start should not wait for them

    def handle(self, *_args: Any, **options: Any) -> None:
        # Each migration draws every model anew, some thousands in all: collecting the old ones is a sixth of the time.
        gc.disable()
        try:
            self.prepare(verbosity=options["verbosity"])
        finally:
            gc.enable()

    def prepare(self, verbosity: int) -> None:
        """A migration waiting for a lock makes everybody behind it wait: it gives up after a second and tries again."""
        for _ in range(TRIES):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '1s'")
                call_command("migrate", interactive=False, verbosity=verbosity, stdout=self.stdout)
                call_command("grant", stdout=self.stdout)
            except OperationalError as failure:
                if not isinstance(failure.__cause__, psycopg2.errors.LockNotAvailable):
                    raise
                self.stdout.write("A table is in use; trying again.")
                time.sleep(PAUSE_SECONDS)
            else:
                return
        raise CommandError(f"A table stayed locked through {TRIES} tries; nothing of the open migration was kept.")
