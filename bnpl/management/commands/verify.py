"""Checks that everything that must always be true is: prints each sentence, and the rows that break it."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from bnpl.invariants import INVARIANTS, violations
from ledger import closing


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        broken: dict[str, list[str]] = {}
        for violation in violations():
            broken.setdefault(violation.name, []).append(violation.row)
        for invariant in INVARIANTS:
            rows = broken.get(invariant.name, [])
            self.stdout.write(f"{'BROKEN' if rows else 'ok':7}{invariant.name}: {invariant.says}")
            for row in rows:
                self.stdout.write(f"         {row}")
        days = [f"{day.realm_id} {day.covers_on}" for day in closing.broken_days()]
        says = "Every closed day, hashed again, is what was sealed, and follows the one before."
        self.stdout.write(f"{'BROKEN' if days else 'ok':7}closed_days_are_what_was_sealed: {says}")
        for day in days:
            self.stdout.write(f"         {day}")
        if broken or days:
            sys.exit(1)
        self.stdout.write(f"All {len(INVARIANTS)} invariants hold.")
