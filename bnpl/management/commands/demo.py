"""Creates the demo data and writes its credentials to $BNPL_HOME/demo.json, readable by its owner only."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from bnpl import demo
from kernel.clock import live_now


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: tuple[str, ...] = ()  # `make check` runs them; a first start should not wait for them

    def handle(self, *_args: Any, **_options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo data has no place in production.")
        path = Path(os.environ.get("BNPL_HOME", settings.BASE_DIR / ".bnpl")) / "demo.json"
        data = demo.create_demo(live_now()).to_json(settings.BASE_URL)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        # Created with its restrictive mode, then renamed, so that the file is complete or absent.
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(data, file, ensure_ascii=False, indent=2)
        new.replace(path)
        self.stdout.write(f"{len(data['people'])} people, {len(data['merchants'])} merchants: {path}")
