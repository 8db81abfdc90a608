"""Shows the work in progress, since when it waits and what to do about it. Exit code 1 if something is stuck."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from bnpl.work.gauges import State, read_gauges
from kernel.clock import live_now


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        gauges = read_gauges(real=live_now())
        for gauge in gauges:
            scope = " ".join(word for word in (gauge.mode, gauge.group) if word)
            columns = f"{gauge.state_name:6}{gauge.work:16}{scope:14}{gauge.items_text:>15}{gauge.age_text:>9}"
            self.stdout.write(f"{columns}  {gauge.kind.description}")
            if gauge.state:
                self.stdout.write(f"      {gauge.kind.remedy}")
        stuck = sum(gauge.state == State.STUCK for gauge in gauges)
        if stuck:
            self.stdout.write(f"{stuck} stuck.")
            sys.exit(1)
        self.stdout.write("Nothing is stuck.")
