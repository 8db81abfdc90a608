"""The programs of the local stack, with their arguments and environment variables."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bnpl.stack.embedded import APP, OWNER, Postgres, Valkey
from bnpl.stack.home import PROJECT_DIR, Home
from bnpl.stack.processes import Program
from bnpl.stack.runtime_dirs import CannotStartError, RuntimeDirs

WEB = ("granian", "--interface", "rsgi", "--loop", "uvloop", "--http", "1", "--workers", "2", "--no-ws")
# granian limits the head of a request; bnpl.gateway limits the rest. Open connections cost little (bnpl.gateway sheds
# excess work), so their number is high enough that a client that keeps many shuts nobody out.
WEB_LIMITS = (
    *("--http1-header-read-timeout", "30000", "--http1-buffer-size", "65536"),
    *("--backlog", "2048", "--backpressure", "2048"),
)
WEB_RESPAWN = ("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "2")
CELERY = ("celery", "--app", "bnpl.celery", "--quiet")
# Mingle and gossip wait for other workers, a second each; our workers need neither.
NO_GOSSIP = ("--without-gossip", "--without-mingle")
WORKER = (*CELERY, "worker", "--queues", "celery", "--pool", "prefork", "--concurrency", "2", *NO_GOSSIP)
# The clerk's first queue is emptied before its second one (bnpl.broker).
CLERK = (
    *CELERY,
    "worker",
    "--queues",
    "house,slow",
    "--hostname",
    "clerk@%h",
    "--pool",
    "prefork",
    "--concurrency",
    "2",
    *NO_GOSSIP,
)
# Webhooks mostly wait for the network, so threads of one process do as well as processes.
COURIER = (
    *CELERY,
    "worker",
    "--queues",
    "webhooks",
    "--hostname",
    "courier@%h",
    "--pool",
    "threads",
    "--concurrency",
    "8",
    *NO_GOSSIP,
)
BEAT = (*CELERY, "beat", "--pidfile", "")


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The embedded servers (None if external ones are used), the environment, and the web's port."""

    port: int
    env: Mapping[str, str]
    postgres: Postgres | None
    valkey: Valkey | None

    def program(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> Program:
        python = (sys.executable, "-m", *argv)
        return Program(name=name, argv=python, folder=PROJECT_DIR, env={**self.env, **(env or {})})

    def manage(self, *argv: str, owner: bool) -> Program:
        """A management command, run as the tables' owner only if it changes the schema or privileges."""
        as_owner = {"DATABASE_URL": self.env["DATABASE_OWNER_URL"], "DATABASE_ROLE": ""} if owner else {}
        command = (sys.executable, "manage.py", *argv)
        return Program(name=argv[0], argv=command, folder=PROJECT_DIR, env={**self.env, **as_owner})

    def web(self) -> Program:
        listen = ("--host", "127.0.0.1", "--port", str(self.port))
        return self.program(
            "web", *WEB, *WEB_LIMITS, *WEB_RESPAWN, *listen, "--log-level", "warning", "bnpl.rsgi:application"
        )

    def worker(self) -> Program:
        return self._celery_worker("worker", WORKER)

    def clerk(self) -> Program:
        """The worker for everything but deductions and webhooks: days, settlements, notices, letters, files."""
        return self._celery_worker("clerk", CLERK)

    def courier(self) -> Program:
        """The worker that sends webhooks and nothing else."""
        return self._celery_worker("courier", COURIER)

    def _celery_worker(self, name: str, argv: tuple[str, ...]) -> Program:
        """Without Django's checks, which setup ran, and without Celery's warning about running as root."""
        root_warning = "ignore:You're running the worker with superuser"
        program = self.program(name, *argv, env={"CELERY_SKIP_CHECKS": "1", "PYTHONWARNINGS": root_warning})
        # A worker asked to stop while its broker stops too may try to reconnect for ever; killing it is always safe.
        return replace(program, orphan_signal=signal.SIGKILL)

    def beat(self) -> Program:
        return self.program("beat", *BEAT)


def parse_port(env: Mapping[str, str]) -> int:
    text = env.get("PORT") or "8000"
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**16:
        raise CannotStartError(f"PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def build_config(home: Home, dirs: RuntimeDirs, port: int) -> StackConfig:
    """The default variables, overridden by those the user has set."""
    user_env = dict(os.environ)
    postgres = None if user_env.get("DATABASE_URL") else Postgres(dirs)
    valkey = None if user_env.get("REDIS_URL") else Valkey(dirs)
    defaults = {
        **home.secrets(),
        "BNPL_POSTURE": "local",
        "BNPL_HOME": str(home.folder),
        "BASE_URL": f"http://127.0.0.1:{port}",
        "STATIC_ROOT": str(home.folder / "static"),
        "DJANGO_SETTINGS_MODULE": "bnpl.settings",
    }
    if postgres:
        defaults |= {"DATABASE_URL": postgres.url(APP), "DATABASE_OWNER_URL": postgres.url(OWNER)}
    elif not user_env.get("DATABASE_OWNER_URL"):
        # One URL for everything: web and workers switch to the application role, which owns nothing.
        defaults |= {"DATABASE_OWNER_URL": user_env["DATABASE_URL"], "DATABASE_ROLE": APP}
    if valkey:
        defaults["REDIS_URL"] = valkey.url
    chosen = {name: user_env.get(name) or value for name, value in defaults.items()}
    if postgres and user_env.get("DATABASE_OWNER_URL"):
        raise CannotStartError("DATABASE_OWNER_URL is set without DATABASE_URL; set both, or neither.")
    home.write(
        "environment.json", {**chosen, **{n: user_env[n] for n in ("DATABASE_URL", "REDIS_URL") if user_env.get(n)}}
    )
    return StackConfig(port=port, env={**user_env, **chosen, "PYTHONUNBUFFERED": "1"}, postgres=postgres, valkey=valkey)


def home_dir(env: Mapping[str, str]) -> Path:
    return Path(env.get("BNPL_HOME") or PROJECT_DIR / ".bnpl").absolute()
