"""Imports a channel's statement file. Importing it again changes nothing. Exit code 1: incomplete or of another day."""

import sys
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.channels import CHANNELS
from billing.channels.statement_layouts import DEFAULT_LAYOUT, StatementLayout, UnreadableError
from billing.models import StatementFile
from billing.services.breaks import count_breaks_by_kind
from billing.services.statement_import import ImportPreview, import_statement, preview_statement
from kernel.actor import Actor
from kernel.clock import now_in
from kernel.models import LIVE, Realm


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("channel", choices=sorted(CHANNELS))
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--day", type=date.fromisoformat, required=True, help="the channel's day it is of: 2026-11-24"
        )
        parser.add_argument(
            "--instead-of",
            type=date.fromisoformat,
            help="the day it was taken in for by mistake: it is --day's from now on",
        )
        parser.add_argument("--layout", type=Path, help="how the channel writes its files, in TOML")
        parser.add_argument("--realm", type=int, default=LIVE)
        parser.add_argument("--dry-run", action="store_true", help="say what would be found, and keep nothing of it")

    def handle(self, *_args: Any, **options: Any) -> None:
        realm = Realm.objects.filter(pk=options["realm"]).first()
        if realm is None:
            raise CommandError("There is no such realm.")
        path: Path = options["file"]
        try:
            layout = (
                StatementLayout.from_toml(options["layout"].read_text(encoding="utf-8"))
                if options["layout"]
                else DEFAULT_LAYOUT
            )
            common = {"realm_id": realm.id, "day": options["day"], "layout": layout, "name": path.name}
            common |= {"by": Actor.system("reconcile"), "at": now_in(realm)}
            with path.open("rb") as file:
                if options["dry_run"]:
                    preview = preview_statement(options["channel"], file, **common)
                    self._check_day(options["day"], preview.statement)
                    self._print_dry_run(preview)
                else:
                    statement = import_statement(options["channel"], file, instead_of=options["instead_of"], **common)
                    self._check_day(options["day"], statement)
                    self._print_summary(statement.public_id, statement, count_breaks_by_kind(statement))
        except (OSError, UnreadableError) as exc:
            raise CommandError(str(exc)) from exc

    def _check_day(self, day: date, statement: StatementFile) -> None:
        """Fail if the same file was imported before for another day.

        Raises:
            CommandError: it was; nothing was imported for this day.
        """
        if statement.covers_on != day:
            other_day = statement.covers_on.isoformat()
            raise CommandError(
                f"It is here already, as {other_day}'s: nothing was done for {day.isoformat()}."
                f" If it was taken in for the wrong day, say --instead-of {other_day}."
            )

    def _print_dry_run(self, preview: ImportPreview) -> None:
        for number, damage in preview.damaged:
            self.stdout.write(f"  line {number}: {damage}")
        self._print_summary("Nothing was kept", preview.statement, preview.breaks)

    def _print_summary(self, title: str, statement: StatementFile, breaks: dict[str, tuple[int, int]]) -> None:
        self.stdout.write(f"{title}: {statement.lines} lines, {statement.damaged} damaged.")
        for kind, (total, open_count) in breaks.items():
            self.stdout.write(f"  {kind:14}{total:>8}, of them open {open_count}")
        if statement.trouble:
            self.stdout.write(f"  {statement.trouble}")
            sys.exit(1)
