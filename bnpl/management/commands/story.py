"""Plays complete orders over HTTP against the running platform, printing each step and the ledger postings at the end.

Exit code 0 only if every step had the expected result and all invariants hold.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bnpl import story
from bnpl.invariants import INVARIANTS, find_violations
from kernel.ids import parse
from ledger.queries import postings_of_order


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        home = Path(os.environ.get("BNPL_HOME", settings.BASE_DIR / ".bnpl"))
        try:
            demo = json.loads((home / "demo.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CommandError(f"There is no {home / 'demo.json'}: start the platform with `make up` first.") from None
        secret = next(m["secret_key"] for m in demo["merchants"] if m["mode"] == "test")
        narrator = story.StoryClient(demo["base_url"], secret, self.stdout.write)
        try:
            orders = list(story.play_story(narrator))
        except (story.StoryFailed, OSError) as broke:
            self.stderr.write(f"The story broke: {broke}")
            sys.exit(1)
        for order in orders:
            self._print_postings(order)
        broken = list(find_violations())
        for violation in broken:
            self.stderr.write(f"BROKEN {violation.name}: {violation.row}")
        if broken:
            sys.exit(1)
        self.stdout.write(f"\nEvery step went as told, and all {len(INVARIANTS)} invariants hold.")

    def _print_postings(self, order: str) -> None:
        """The ledger postings of an order."""
        self.stdout.write(f"\nThe book of {order}:")
        key = parse("ord", order)
        for posting in postings_of_order(key) if key else ():
            amount = story.format_yuan(posting.amount_minor)
            self.stdout.write(
                f"  {posting.kind:12} {posting.debit_account:16} → {posting.credit_account:12} {amount:>10}"
            )
