"""The setup steps of a local platform, each skipped while none of its input files has changed."""

import hashlib
import time
from pathlib import Path

from bnpl.stack.config import StackConfig
from bnpl.stack.console import Console
from bnpl.stack.home import PROJECT_DIR, Home
from bnpl.stack.processes import ChildProcess
from bnpl.stack.supervisor import Supervisor

DONE = "setup.json"
SCHEMA_SOURCES = ("*/migrations/*.py", "*/management/commands/grant.py", "requirements/local.txt")
STATIC_SOURCES = ("static/**/*", "[!.]*/static/**/*", "requirements/local.txt", "bnpl/settings.py")
DATABASE_PATIENCE_SECONDS = 60.0
BROKER_PATIENCE_SECONDS = 20.0


def fingerprint(patterns: tuple[str, ...]) -> str:
    """A digest of the names, sizes and modification times of files; hashing the contents would slow the start."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for file in sorted(PROJECT_DIR.glob(pattern)):
            state = file.stat()
            digest.update(f"{file.relative_to(PROJECT_DIR)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Setup:
    def __init__(self, console: Console, supervisor: Supervisor, home: Home, config: StackConfig) -> None:
        self.console, self.supervisor, self.home, self.config = console, supervisor, home, config
        self.done: dict[str, str] = home.read(DONE) or {}
        self.schema, self.static = fingerprint(SCHEMA_SOURCES), fingerprint(STATIC_SOURCES)

    @property
    def schema_needed(self) -> bool:
        # An external database may have been emptied or replaced, so it is always prepared.
        postgres = self.config.postgres
        return postgres is None or not postgres.exists or self.done.get("schema") != self.schema

    @property
    def static_needed(self) -> bool:
        return not Path(self.config.env["STATIC_ROOT"]).is_dir() or self.done.get("static") != self.static

    @property
    def demo_needed(self) -> bool:
        return self.home.read("demo.json") is None and any(PROJECT_DIR.glob("*/management/commands/demo.py"))

    def start_broker(self) -> None:
        """Start Valkey, and delete the heartbeat of an earlier worker."""
        if valkey := self.config.valkey:
            self.supervisor.start_service(valkey.program())
            self.supervisor.wait_until(valkey.is_ready, BROKER_PATIENCE_SECONDS, "Valkey does not answer.")
            valkey.send_command("DEL", "bnpl:worker:heartbeat")

    def start_database(self) -> None:
        if postgres := self.config.postgres:
            if not postgres.exists:
                with self.console.step("new database cluster"):
                    postgres.initialise()
            self.supervisor.start_service(postgres.program())

    def await_database(self) -> None:
        """Wait for PostgreSQL. After a kill -9 it recovers first, and may be restarted once while old backends end."""
        if postgres := self.config.postgres:
            self.supervisor.wait_until(postgres.is_ready, DATABASE_PATIENCE_SECONDS, "PostgreSQL does not answer.")

    def prepare_schema(self) -> ChildProcess | None:
        """Start `manage.py prepare` (tables and privileges), if the schema's sources have changed."""
        if not self.schema_needed:
            return None
        if self.config.postgres:
            self.config.postgres.create_roles_and_database()
        return self.supervisor.start_command(self.config.manage("prepare", owner=True))

    def collect_static(self) -> ChildProcess | None:
        """Start `collectstatic`. It needs no database, so it runs in parallel to the migrations."""
        if not self.static_needed:
            return None
        return self.supervisor.start_command(self.config.manage("collectstatic", "--no-input", "--clear", owner=False))

    def create_demo_data(self) -> None:
        """Create the demo data, once."""
        if self.demo_needed:
            self.finish("demo data (demo)", self.supervisor.start_command(self.config.manage("demo", owner=False)))

    def finish(self, title: str, command: ChildProcess | None, **done: str) -> None:
        """Wait for a step's command, if it was needed, and store that it is done."""
        if command is None:
            return
        self.supervisor.wait_for_command(command)
        self.console.done(title, time.monotonic() - command.started)
        self.done |= done
        self.home.write(DONE, self.done)
