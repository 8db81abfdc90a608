"""What a load balancer is told, and how long it waits for the answer."""

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
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not been asked before, and that lets a busy machine answer."""
    monkeypatch.setattr(health, "readiness", health.Readiness())
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 30.0)


@pytest.fixture
def worker() -> Iterator[None]:
    with heartbeat.broker() as broker:
        heartbeat.strike(broker, "celery@test")
        yield
        broker.delete(heartbeat.KEY)


@pytest.fixture
def known(transactional_db: None) -> None:
    """A process that knows its tables are there: finding out for the first time may take longer than a probe waits."""
    health.readiness.migrations()


def ask() -> tuple[int, dict[str, Any]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_alive_is_answered_without_any_database() -> None:
    response = Client(headers={"host": "10.1.2.3"}).get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"alive": True}


def test_ready_when_database_migrations_broker_and_worker_are(known: None, worker: None) -> None:
    code, body = ask()
    assert code == 200, body
    assert body == {"ready": True, "checks": dict.fromkeys(["database", "migrations", "broker", "worker"], "ok")}


def test_not_ready_without_a_worker(known: None) -> None:
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json()["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok", "worker": "failed"}


def test_a_dead_broker_is_told_and_not_its_address(known: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    code, body = ask()
    assert code == 503
    assert body["checks"] == {"database": "ok", "migrations": "ok", "broker": "failed", "worker": "failed"}
    assert "127.0.0.1" not in str(body)


@pytest.mark.django_db(transaction=True)
def test_a_dead_database_is_told(worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    code, body = ask()
    assert code == 503
    assert body["checks"] == {"database": "failed", "migrations": "failed", "broker": "ok", "worker": "ok"}


def test_a_database_that_may_only_be_read_is_not_ready(
    known: None, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a standby that has not taken over yet: each write of the requests sent here would fail."""
    options = connection.settings_dict.get("OPTIONS", {})
    monkeypatch.setitem(
        connection.settings_dict, "OPTIONS", options | {"options": "-c default_transaction_read_only=on"}
    )
    code, body = ask()
    assert code == 503
    assert body["checks"] == {"database": "failed", "migrations": "ok", "broker": "ok", "worker": "ok"}


def test_a_check_that_hangs_is_not_waited_for(known: None, worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
    answered = threading.Event()
    monkeypatch.setitem(health.readiness.checks, "database", answered.wait)
    try:
        code, body = ask()
    finally:
        answered.set()
    assert code == 503
    assert body["checks"]["database"] == "failed"


def test_a_database_without_the_last_migration_is_not_ready(
    known: None, superuser_connection: extensions.connection
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


def test_many_who_ask_at_once_have_one_look_taken_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    house, looks, end = health.readiness, list[float](), threading.Event()

    def look() -> dict[str, str]:
        looks.append(time.monotonic())
        assert end.wait(5)
        return {"database": "ok"}

    monkeypatch.setattr(house, "look", look)
    with ThreadPoolExecutor(8) as crowd:
        asked = [crowd.submit(house.answer) for _ in range(8)]
        end.set()
        assert [each.result() for each in asked] == [{"database": "ok"}] * 8
    assert len(looks) == 1

    at, found = house.kept or (0.0, {})
    house.kept = at - health.KEPT_SECONDS, found
    end.clear()
    with ThreadPoolExecutor(1) as somebody:
        looking = somebody.submit(house.answer)
        while len(looks) < 2:
            time.sleep(0.001)
        assert house.answer() == {"database": "ok"}  # told at once, while somebody looks again
        end.set()
        looking.result()
    assert len(looks) == 2


def test_what_was_found_out_long_ago_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    house = health.readiness
    house.kept = time.monotonic() - health.KEPT_SECONDS, {"database": "ok"}
    monkeypatch.setattr(house, "look", lambda: {"database": "failed"})
    assert house.answer() == {"database": "failed"}
