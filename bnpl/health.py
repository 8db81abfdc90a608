"""Questions a machine may ask: are you alive, may I send you people, and how is the work getting on (bnpl.gauges)?

They are answered before any other middleware: a load balancer asks over plain http, by our IP address, without cookies.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from bnpl import heartbeat
from bnpl.gauges import metrics

PATIENCE_SECONDS = 0.9
#: How long what was found out is told to whoever else asks; and while somebody looks again, for how long at most.
KEPT_SECONDS, KEPT_MEANWHILE_SECONDS = 1.0, 3.0
RETRY_AFTER_SECONDS = 2
log = structlog.get_logger(__name__)


class NotReadyError(Exception):
    """A check that was answered, and the answer is no."""


class ReadOnlyError(NotReadyError):
    """The database answers, and takes no writes."""


class Readiness:
    """The checks side by side, none of them waited for longer than a second."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="readyz")
        self.migrated = False  # stays true for the life of the process: applied migrations do not go away
        self.failing: set[str] = set()
        self.looking = threading.Lock()
        self.kept: tuple[float, dict[str, str]] | None = None
        self.checks: dict[str, Callable[[], None]] = {
            "database": self.database,
            "migrations": self.migrations,
            "broker": self.broker,
            "worker": self.worker,
        }
        if settings.DEMO_FILE is not None:
            self.checks["demo"] = partial(self.demo, settings.DEMO_FILE)

    def database(self) -> None:
        """A new connection each time: it shows that the next request could have one, and could write."""
        with contextlib.closing(connection.copy()) as fresh, fresh.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")  # on a standby too, as while another one takes over
            if cursor.fetchone() != ("off",):
                raise ReadOnlyError

    def migrations(self) -> None:
        if self.migrated:
            return
        with contextlib.closing(connection.copy()) as fresh:
            executor = MigrationExecutor(fresh)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                raise NotReadyError
        self.migrated = True

    def broker(self) -> None:
        with heartbeat.broker() as broker:
            broker.ping()

    def worker(self) -> None:
        with heartbeat.broker() as broker:
            if not heartbeat.felt(broker):
                raise NotReadyError

    def demo(self, told: Path) -> None:
        """The local stack is ready when there is somebody to sign in as."""
        if not told.exists():
            raise NotReadyError

    def answer(self) -> dict[str, str]:
        """What was found out within the last second. One caller looks, with connections of its own; others are told."""
        if not self.looking.acquire(blocking=(kept := self.lately(KEPT_MEANWHILE_SECONDS)) is None):
            return kept or {}
        try:
            if (kept := self.lately(KEPT_SECONDS)) is None:
                kept = self.look()
                self.kept = time.monotonic(), kept
            return kept
        finally:
            self.looking.release()

    def lately(self, seconds: float) -> dict[str, str] | None:
        """What was found out, if that is no longer ago."""
        at, found = self.kept or (float("-inf"), {})
        return found if time.monotonic() - at < seconds else None

    def look(self) -> dict[str, str]:
        """Each check with "ok" or "failed": the reason is for our log, not for whoever asks."""
        running = {name: self.threads.submit(check) for name, check in self.checks.items()}
        wait(running.values(), timeout=PATIENCE_SECONDS)
        reasons = {name: reason(future) for name, future in running.items()}
        for future in running.values():
            future.cancel()  # one that has not begun by now would only keep the next probe waiting
        failing = {name for name, why in reasons.items() if why}
        if failing != self.failing:
            log.info("readiness", failing={name: reasons[name] for name in sorted(failing)})
            self.failing = failing
        return {name: "failed" if why else "ok" for name, why in reasons.items()}


def reason(future: Future[None]) -> str:
    """Why a check does not hold, in one word; empty when it does."""
    if not future.done():
        return "timeout"
    failure = future.exception()
    return type(failure).__name__ if failure else ""


readiness = Readiness()


def healthz(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"alive": True})


def readyz(_request: HttpRequest) -> HttpResponse:
    checks = readiness.answer()
    if all(result == "ok" for result in checks.values()):
        return JsonResponse({"ready": True, "checks": checks})
    return JsonResponse(
        {"ready": False, "checks": checks}, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class Probes:
    """The first middleware: answers the probes and lets everything else pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        response = self.get_response(request) if probe is None else probe(request)
        if probe is not None:
            response.headers["Cache-Control"] = "no-store"
        return response
