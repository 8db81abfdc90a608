"""Shows what waits, since when, and what to do about it. Exit code 1 if something is stuck."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from bnpl.work.figures import State, under_way
from kernel.clock import live_now


class Command(BaseCommand):
    help = __doc__

    def handle(self, *_args: Any, **_options: Any) -> None:
        figures = under_way(real=live_now())
        for figure in figures:
            place = " ".join(word for word in (figure.mode, figure.of) if word)
            self.stdout.write(
                f"{figure.word:6}{figure.work:16}{place:14}{figure.number:>15}{figure.age:>9}  {figure.kind.says}"
            )
            if figure.state:
                self.stdout.write(f"      {figure.kind.do}")
        stuck = sum(figure.state == State.STUCK for figure in figures)
        if stuck:
            self.stdout.write(f"{stuck} stuck.")
            sys.exit(1)
        self.stdout.write("Nothing is stuck.")
