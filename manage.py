#!/usr/bin/env python3
"""Django's command line. Without settings of its own it speaks to the stack that `make up` runs here."""

import json
import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line


def join_the_local_stack() -> None:
    """Takes over the variables `make up` left in its state folder; one that is set already stays as it is."""
    home = Path(os.environ.get("BNPL_HOME") or Path(__file__).resolve().parent / ".bnpl")
    left = home / "environment.json"
    if "BNPL_POSTURE" not in os.environ and left.is_file():
        for name, value in json.loads(left.read_text(encoding="utf-8")).items():
            os.environ.setdefault(name, value)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bnpl.settings")
    join_the_local_stack()
    execute_from_command_line(sys.argv)
