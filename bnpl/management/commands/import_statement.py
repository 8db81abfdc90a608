"""Takes in a channel's statement file. The same again changes nothing. Exit code 1: not whole, or another day's."""

import sys
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.channels import CHANNELS
from billing.channels.layouts import PLAIN, Layout, UnreadableError
from billing.models import StatementFile
from billing.services.breaks import breaks_of
from billing.services.reconcile import Rehearsal, import_statement, rehearse_statement
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

    def handle(self, *_args: Any, **given: Any) -> None:
        realm = Realm.objects.filter(pk=given["realm"]).first()
        if realm is None:
            raise CommandError("There is no such realm.")
        path: Path = given["file"]
        try:
            layout = Layout.of(given["layout"].read_text(encoding="utf-8")) if given["layout"] else PLAIN
            known = {"realm_id": realm.id, "day": given["day"], "layout": layout, "name": path.name}
            known |= {"by": Actor.system("reconcile"), "at": now_in(realm)}
            with path.open("rb") as file:
                if given["dry_run"]:
                    found = rehearse_statement(given["channel"], file, **known)
                    self._is_of(given["day"], found.statement)
                    self._rehearsed(found)
                else:
                    done = import_statement(given["channel"], file, instead_of=given["instead_of"], **known)
                    self._is_of(given["day"], done)
                    self._told(done.public_id, done, breaks_of(done))
        except (OSError, UnreadableError) as exc:
            raise CommandError(str(exc)) from exc

    def _is_of(self, day: date, statement: StatementFile) -> None:
        """What is here as another day's was not taken in for this one, and whoever asked is told so."""
        if statement.covers_on != day:
            there = statement.covers_on.isoformat()
            raise CommandError(
                f"It is here already, as {there}'s: nothing was done for {day.isoformat()}."
                f" If it was taken in for the wrong day, say --instead-of {there}."
            )

    def _rehearsed(self, found: Rehearsal) -> None:
        for place, damage in found.damaged:
            self.stdout.write(f"  line {place}: {damage}")
        self._told("Nothing was kept", found.statement, found.breaks)

    def _told(self, what: str, statement: StatementFile, breaks: dict[str, tuple[int, int]]) -> None:
        self.stdout.write(f"{what}: {statement.lines} lines, {statement.damaged} damaged.")
        for kind, (whole, open_ones) in breaks.items():
            self.stdout.write(f"  {kind:14}{whole:>8}, of them open {open_ones}")
        if statement.trouble:
            self.stdout.write(f"  {statement.trouble}")
            sys.exit(1)
