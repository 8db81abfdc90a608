"""Checks every invariant of the data: prints each one, and the rows that violate it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bnpl.invariants import AUDIT, INVARIANTS, find_violations
from ledger import closing


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seal",
            action="append",
            default=[],
            metavar="LINE:SEAL",
            help="a line of the audit and its seal, as a log line `audit` has them: finds an end that was put back",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        broken: dict[str, list[str]] = {}
        seals = {int(line): seal for line, _, seal in (text.partition(":") for text in options["seal"])}
        for violation in find_violations(seals):
            broken.setdefault(violation.name, []).append(violation.row)
        for invariant in (*INVARIANTS, AUDIT):
            rows = broken.get(invariant.name, [])
            self.stdout.write(f"{'BROKEN' if rows else 'ok':7}{invariant.name}: {invariant.description}")
            for row in rows:
                self.stdout.write(f"         {row}")
        days = [f"{day.realm_id} {day.covers_on}" for day in closing.find_tampered_days()]
        description = "Each closed day, hashed again, matches its seal, and follows the one before."
        self.stdout.write(f"{'BROKEN' if days else 'ok':7}closed_days_match_seals: {description}")
        for day in days:
            self.stdout.write(f"         {day}")
        if broken or days:
            sys.exit(1)
        self.stdout.write(f"All {len(INVARIANTS) + 2} invariants hold.")
