"""What the probes report to a load balancer, and how fast."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from psycopg2 import extensions

from bnpl import health, heartbeat


@pytest.fixture(autouse=True)
def no_cached_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not been asked before, and that lets a busy machine answer."""
    monkeypatch.setattr(health, "readiness", health.Readiness())
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 30.0)


@pytest.fixture
def worker() -> Iterator[None]:
    with heartbeat.connect_broker() as broker:
        heartbeat.beat(broker, "celery@test")
        yield
        broker.delete(heartbeat.KEY)


@pytest.fixture
def ready_database(transactional_db: None) -> None:
    """A process that knows its tables are there: finding out for the first time may take longer than a probe waits."""
    health.readiness.migrations()


def get_readiness() -> tuple[int, dict[str, Any]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_liveness_needs_no_database() -> None:
    response = Client(headers={"host": "10.1.2.3"}).get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"alive": True}


def test_ready_when_all_checks_pass(ready_database: None, worker: None) -> None:
    code, body = get_readiness()
    assert code == 200, body
    assert body == {"ready": True, "checks": dict.fromkeys(["database", "migrations", "broker", "worker"], "ok")}


def test_not_ready_without_a_worker(ready_database: None) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json()["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok", "worker": "failed"}


def test_a_dead_broker_is_reported_without_its_address(ready_database: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    code, body = get_readiness()
    assert code == 503
    assert body["checks"] == {"database": "ok", "migrations": "ok", "broker": "failed", "worker": "failed"}
    assert "127.0.0.1" not in str(body)


@pytest.mark.django_db(transaction=True)
def test_a_dead_database_is_reported(worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    code, body = get_readiness()
    assert code == 503
    assert body["checks"] == {"database": "failed", "migrations": "failed", "broker": "ok", "worker": "ok"}


def test_a_read_only_database_is_not_ready(ready_database: None, worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a standby that has not taken over yet: each write of the requests sent here would fail."""
    options = connection.settings_dict.get("OPTIONS", {})
    monkeypatch.setitem(
        connection.settings_dict, "OPTIONS", options | {"options": "-c default_transaction_read_only=on"}
    )
    code, body = get_readiness()
    assert code == 503
    assert body["checks"] == {"database": "failed", "migrations": "ok", "broker": "ok", "worker": "ok"}


def test_a_hanging_check_times_out(ready_database: None, worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT_SECONDS", 0.05)
    answered = threading.Event()
    monkeypatch.setitem(health.readiness.checks, "database", answered.wait)
    try:
        code, body = get_readiness()
    finally:
        answered.set()
    assert code == 503
    assert body["checks"]["database"] == "failed"


def test_a_database_with_pending_migrations_is_not_ready(
    ready_database: None, superuser_connection: extensions.connection
) -> None:
    with superuser_connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orders' RETURNING app, name, applied")
        rows = cursor.fetchall()
        try:
            with pytest.raises(health.NotReadyError):
                health.Readiness().migrations()
        finally:
            cursor.executemany("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)", rows)
    health.Readiness().migrations()


def test_concurrent_callers_share_one_run_of_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    readiness, runs, end = health.readiness, list[float](), threading.Event()

    def run_checks() -> dict[str, str]:
        runs.append(time.monotonic())
        assert end.wait(5)
        return {"database": "ok"}

    monkeypatch.setattr(readiness, "run_checks", run_checks)
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(readiness.results) for _ in range(8)]
        end.set()
        assert [each.result() for each in results] == [{"database": "ok"}] * 8
    assert len(runs) == 1

    at, found = readiness.cached or (0.0, {})
    readiness.cached = at - health.CACHE_SECONDS, found
    end.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(readiness.results)
        while len(runs) < 2:
            time.sleep(0.001)
        assert readiness.results() == {"database": "ok"}  # told at once, while somebody looks again
        end.set()
        refreshing.result()
    assert len(runs) == 2


def test_old_results_are_not_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    readiness = health.readiness
    readiness.cached = time.monotonic() - health.CACHE_SECONDS, {"database": "ok"}
    monkeypatch.setattr(readiness, "run_checks", lambda: {"database": "failed"})
    assert readiness.results() == {"database": "failed"}
