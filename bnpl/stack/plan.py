"""What runs: each program of the platform, and the variables it is given."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bnpl.stack.embedded import APP, OWNER, Postgres, Valkey
from bnpl.stack.home import CHECKOUT, Home
from bnpl.stack.place import CannotStartError, Place
from bnpl.stack.processes import Program

WEB = ("granian", "--interface", "rsgi", "--loop", "uvloop", "--http", "1", "--workers", "2", "--no-ws")
# A head that does not come, or does not end, is cut off; for the rest of a request bnpl.front has limits of its own.
# Open lines are no work (bnpl.front turns away what is too much of that), and who keeps many shuts nobody out.
WEB_LIMITS = (
    *("--http1-header-read-timeout", "30000", "--http1-buffer-size", "65536"),
    *("--backlog", "2048", "--backpressure", "2048"),
)
WEB_LASTING = ("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "2")
CELERY = ("celery", "--app", "bnpl.celery", "--quiet")
# Mingling and gossiping wait for other workers, a second each; our worker has nobody to talk to.
ALONE = ("--without-gossip", "--without-mingle")
WORKER = (*CELERY, "worker", "--queues", "celery", "--pool", "prefork", "--concurrency", "2", *ALONE)
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
    *ALONE,
)
# Webhooks wait for others most of the time: threads of one process do that as well as processes would.
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
    *ALONE,
)
BEAT = (*CELERY, "beat", "--pidfile", "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is embedded, what was given from outside, and where the web listens."""

    port: int
    env: Mapping[str, str]
    postgres: Postgres | None
    valkey: Valkey | None

    def program(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> Program:
        python = (sys.executable, "-m", *argv)
        return Program(name=name, argv=python, folder=CHECKOUT, env={**self.env, **(env or {})})

    def manage(self, *argv: str, owner: bool) -> Program:
        """A management command; as the owner of the tables only when it changes their shape or who may use them."""
        as_owner = {"DATABASE_URL": self.env["DATABASE_OWNER_URL"], "DATABASE_ROLE": ""} if owner else {}
        command = (sys.executable, "manage.py", *argv)
        return Program(name=argv[0], argv=command, folder=CHECKOUT, env={**self.env, **as_owner})

    def web(self) -> Program:
        listen = ("--host", "127.0.0.1", "--port", str(self.port))
        return self.program(
            "web", *WEB, *WEB_LIMITS, *WEB_LASTING, *listen, "--log-level", "warning", "bnpl.rsgi:application"
        )

    def worker(self) -> Program:
        return self._listener("worker", WORKER)

    def clerk(self) -> Program:
        """The worker for all that is no collecting: days, settlements, notices, letters, files."""
        return self._listener("clerk", CLERK)

    def courier(self) -> Program:
        """The worker that takes webhooks out of the house, and nothing else."""
        return self._listener("courier", COURIER)

    def _listener(self, name: str, argv: tuple[str, ...]) -> Program:
        """Skips Django's checks, which each set-up ran, and the screenful that says we are root when the person is."""
        root = "ignore:You're running the worker with superuser"
        program = self.program(name, *argv, env={"CELERY_SKIP_CHECKS": "1", "PYTHONWARNINGS": root})
        # Asked to end while its broker ends too, it may look for that for ever. Its tasks may be cut off anywhere.
        return replace(program, orphaned=signal.SIGKILL)

    def beat(self) -> Program:
        return self.program("beat", *BEAT)


def port_of(env: Mapping[str, str]) -> int:
    text = env.get("PORT") or "8000"
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**16:
        raise CannotStartError(f"PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def draw(home: Home, place: Place, port: int) -> Plan:
    """Our own variables under what the person set: a variable of theirs always wins."""
    given = dict(os.environ)
    postgres = None if given.get("DATABASE_URL") else Postgres(place)
    valkey = None if given.get("REDIS_URL") else Valkey(place)
    ours = {
        **home.secrets(),
        "BNPL_POSTURE": "local",
        "BNPL_HOME": str(home.folder),
        "BASE_URL": f"http://127.0.0.1:{port}",
        "STATIC_ROOT": str(home.folder / "static"),
        "DJANGO_SETTINGS_MODULE": "bnpl.settings",
    }
    if postgres:
        ours |= {"DATABASE_URL": postgres.url(APP), "DATABASE_OWNER_URL": postgres.url(OWNER)}
    elif not given.get("DATABASE_OWNER_URL"):
        # One address for everything: the web and the worker step down to the role that owns nothing.
        ours |= {"DATABASE_OWNER_URL": given["DATABASE_URL"], "DATABASE_ROLE": APP}
    if valkey:
        ours["REDIS_URL"] = valkey.url
    chosen = {name: given.get(name) or value for name, value in ours.items()}
    if postgres and given.get("DATABASE_OWNER_URL"):
        raise CannotStartError("DATABASE_OWNER_URL is set without DATABASE_URL; set both, or neither.")
    home.write("environment.json", {**chosen, **{n: given[n] for n in ("DATABASE_URL", "REDIS_URL") if given.get(n)}})
    return Plan(port=port, env={**given, **chosen, "PYTHONUNBUFFERED": "1"}, postgres=postgres, valkey=valkey)


def home_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("BNPL_HOME") or CHECKOUT / ".bnpl").absolute()
