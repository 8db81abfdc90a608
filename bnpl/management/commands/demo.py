"""Makes the demo data and writes what must be known of it to $BNPL_HOME/demo.json, for its owner's eyes only."""

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
    requires_system_checks: tuple[str, ...] = ()  # `make check` has made them; a first start should not wait for them

    def handle(self, *_args: Any, **_options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo data has no place in production.")
        path = Path(os.environ.get("BNPL_HOME", settings.BASE_DIR / ".bnpl")) / "demo.json"
        told = demo.play(live_now()).told(settings.BASE_URL)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".new")
        # Made unreadable to others before anything is in it; renamed, so that it is whole or not there.
        with os.fdopen(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False, indent=2)
        whole.replace(path)
        self.stdout.write(f"{len(told['people'])} people, {len(told['merchants'])} merchants: {path}")
