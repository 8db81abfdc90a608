"""The steps between an empty folder and a platform, each skipped while nothing that it reads has changed."""

import hashlib
import time
from pathlib import Path

from bnpl.stack.console import Console
from bnpl.stack.home import CHECKOUT, Home
from bnpl.stack.plan import Plan
from bnpl.stack.processes import Child
from bnpl.stack.supervisor import Supervisor

DONE = "setup.json"
SCHEMA_SOURCES = ("*/migrations/*.py", "*/management/commands/grant.py", "requirements/local.txt")
STATIC_SOURCES = ("static/**/*", "[!.]*/static/**/*", "requirements/local.txt", "bnpl/settings.py")
DATABASE_PATIENCE_SECONDS = 60.0
BROKER_PATIENCE_SECONDS = 20.0


def fingerprint(patterns: tuple[str, ...]) -> str:
    """Changes with any file's name, size or time of change; reading a few hundred files would cost the quick start."""
    seen = hashlib.sha256()
    for pattern in patterns:
        for file in sorted(CHECKOUT.glob(pattern)):
            state = file.stat()
            seen.update(f"{file.relative_to(CHECKOUT)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return seen.hexdigest()


class Setup:
    def __init__(self, console: Console, supervisor: Supervisor, home: Home, plan: Plan) -> None:
        self.console, self.supervisor, self.home, self.plan = console, supervisor, home, plan
        self.done: dict[str, str] = home.read(DONE) or {}
        self.schema, self.static = fingerprint(SCHEMA_SOURCES), fingerprint(STATIC_SOURCES)

    @property
    def schema_needed(self) -> bool:
        # A database from outside may have been emptied or replaced without our knowing: it is always looked at.
        postgres = self.plan.postgres
        return postgres is None or not postgres.exists or self.done.get("schema") != self.schema

    @property
    def static_needed(self) -> bool:
        return not Path(self.plan.env["STATIC_ROOT"]).is_dir() or self.done.get("static") != self.static

    @property
    def demo_needed(self) -> bool:
        return self.home.read("demo.json") is None and any(CHECKOUT.glob("*/management/commands/demo.py"))

    def start_broker(self) -> None:
        """Within some milliseconds. What an earlier worker left of its pulse is forgotten: it is not this worker's."""
        if valkey := self.plan.valkey:
            self.supervisor.launch(valkey.program())
            self.supervisor.wait(valkey.answers, BROKER_PATIENCE_SECONDS, "Valkey does not answer.")
            valkey.ask("DEL", "bnpl:worker:heartbeat")

    def start_database(self) -> None:
        if postgres := self.plan.postgres:
            if not postgres.exists:
                with self.console.step("new database cluster"):
                    postgres.initialise()
            self.supervisor.launch(postgres.program())

    def await_database(self) -> None:
        """After a kill -9 this takes as long as PostgreSQL's recovery, and a second try while old backends go."""
        if postgres := self.plan.postgres:
            self.supervisor.wait(postgres.answers, DATABASE_PATIENCE_SECONDS, "PostgreSQL does not answer.")

    def prepare(self) -> Child | None:
        """Tables and rights, in a database that answers."""
        if not self.schema_needed:
            return None
        if self.plan.postgres:
            self.plan.postgres.furnish()
        return self.supervisor.command(self.plan.manage("prepare", owner=True))

    def collect(self) -> Child | None:
        """Needs no database, so it runs beside the migrations on the second core."""
        if not self.static_needed:
            return None
        return self.supervisor.command(self.plan.manage("collectstatic", "--no-input", "--clear", owner=False))

    def demonstrate(self) -> None:
        """Something to look at, made once and kept."""
        if self.demo_needed:
            self.finish("demo data (demo)", self.supervisor.command(self.plan.manage("demo", owner=False)))

    def finish(self, title: str, command: Child | None, **done: str) -> None:
        """Waits for a step that may have begun long ago, and remembers it as done."""
        if command is None:
            return
        self.supervisor.finish(command)
        self.console.done(title, time.monotonic() - command.started)
        self.done |= done
        self.home.write(DONE, self.done)
