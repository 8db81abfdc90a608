"""Generates the files of docs/ that come from the code. With --check, only reports whether they are current."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from bnpl.generated_docs import generate_docs


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *_args: Any, **options: Any) -> None:
        docs = Path(settings.BASE_DIR) / "docs"
        stale = [name for name, text in generate_docs().items() if not _is_current(docs / name, text)]
        if options["check"]:
            for name in stale:
                self.stderr.write(f"docs/{name} is not what the code says: run manage.py draw")
            sys.exit(bool(stale))
        for name in stale:
            (docs / name).write_text(generate_docs()[name], encoding="utf-8")
            self.stdout.write(f"docs/{name}")


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
