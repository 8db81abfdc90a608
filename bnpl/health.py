"""The probes: liveness (/healthz), readiness (/readyz) and metrics (/metrics, bnpl.metrics).

They are answered before any other middleware: a load balancer calls them over plain http, by IP address.
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
from bnpl.metrics import metrics

TIMEOUT_SECONDS = 0.9
#: How long results are reused, and how old they may be while another caller is refreshing them.
CACHE_SECONDS, STALE_SECONDS = 1.0, 3.0
RETRY_AFTER_SECONDS = 2
log = structlog.get_logger(__name__)


class NotReadyError(Exception):
    """A check ran and found that the process is not ready."""


class ReadOnlyError(NotReadyError):
    """The database responds but accepts no writes."""


class Readiness:
    """The readiness checks, run in parallel, each waited for at most a second."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="readyz")
        self.migrated = False  # stays true for the life of the process: applied migrations do not go away
        self.failing: set[str] = set()
        self.refreshing = threading.Lock()
        self.cached: tuple[float, dict[str, str]] | None = None
        self.checks: dict[str, Callable[[], None]] = {
            "database": self.database,
            "migrations": self.migrations,
            "broker": self.broker,
            "worker": self.worker,
        }
        if settings.DEMO_FILE is not None:
            self.checks["demo"] = partial(self.demo, settings.DEMO_FILE)

    def database(self) -> None:
        """Opens a new connection, as the next request might have to, and checks that it can write."""
        with contextlib.closing(connection.copy()) as fresh, fresh.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")  # also "on" on a standby, as during a failover
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
        with heartbeat.connect_broker() as broker:
            broker.ping()

    def worker(self) -> None:
        with heartbeat.connect_broker() as broker:
            if not heartbeat.is_beating(broker):
                raise NotReadyError

    def demo(self, file: Path) -> None:
        """The local stack is ready once its demo data is made: there is somebody to sign in as."""
        if not file.exists():
            raise NotReadyError

    def results(self) -> dict[str, str]:
        """The results of the last second. One caller at a time runs the checks; the others get its cached results."""
        if not self.refreshing.acquire(blocking=(results := self.cached_results(STALE_SECONDS)) is None):
            return results or {}
        try:
            if (results := self.cached_results(CACHE_SECONDS)) is None:
                results = self.run_checks()
                self.cached = time.monotonic(), results
            return results
        finally:
            self.refreshing.release()

    def cached_results(self, max_age_seconds: float) -> dict[str, str] | None:
        """The cached results, if they are recent enough."""
        at, results = self.cached or (float("-inf"), {})
        return results if time.monotonic() - at < max_age_seconds else None

    def run_checks(self) -> dict[str, str]:
        """Each check as "ok" or "failed". The reason goes to the log, not to the caller."""
        running = {name: self.threads.submit(check) for name, check in self.checks.items()}
        wait(running.values(), timeout=TIMEOUT_SECONDS)
        reasons = {name: failure_reason(future) for name, future in running.items()}
        for future in running.values():
            future.cancel()  # one that has not started by now would only delay the next probe
        failing = {name for name, reason in reasons.items() if reason}
        if failing != self.failing:
            log.info("readiness", failing={name: reasons[name] for name in sorted(failing)})
            self.failing = failing
        return {name: "failed" if reason else "ok" for name, reason in reasons.items()}


def failure_reason(future: Future[None]) -> str:
    """Why a check failed, in one word; empty when it passed."""
    if not future.done():
        return "timeout"
    failure = future.exception()
    return type(failure).__name__ if failure else ""


readiness = Readiness()


def healthz(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"alive": True})


def readyz(_request: HttpRequest) -> HttpResponse:
    checks = readiness.results()
    if all(result == "ok" for result in checks.values()):
        return JsonResponse({"ready": True, "checks": checks})
    return JsonResponse(
        {"ready": False, "checks": checks}, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class ProbesMiddleware:
    """The first middleware: answers the probes, and passes every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        response = self.get_response(request) if probe is None else probe(request)
        if probe is not None:
            response.headers["Cache-Control"] = "no-store"
        return response
