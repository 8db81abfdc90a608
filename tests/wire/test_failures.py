"""Outages of PostgreSQL or Valkey: callers get problem responses, and afterwards everything works again."""

import socket
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection
from django.test import Client

from billing.channels import bank
from billing.services.deduct import deduct_due
from bnpl.celery import app
from kernel.clock import live_now
from kernel.models import IdempotencyKey
from kernel.prepared_statements import expand_sql
from orders.models import Order
from tests.api import Api, assert_problem, idempotency_header, order_body
from tests.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def nowhere() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_postgres_every_door_says_503_and_recovers_by_itself(
    power_bank: Shop, nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(power_bank)
    agreement = api.agreement(power_bank.service.public_id)
    wish = order_body(agreement)
    connection.close()
    with monkeypatch.context() as gone:
        gone.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        gone.setitem(connection.settings_dict, "PORT", str(nowhere))
        calls = [
            api.get("orders"),
            api.get(f"agreements/{agreement}"),
            api.post("orders", wish, **idempotency_header("k")),
        ]
        callback = Client().post("/channels/sandbox/callback", b"{}", "application/json", headers={"X-Signature": "x"})
        connection.close()

    for response in calls:
        assert_problem(response, 503, "unavailable")
        assert int(response["Retry-After"]) >= 1
    assert callback.status_code in (401, 503)
    assert api.post("orders", wish, **idempotency_header("k")).status_code == 201
    assert Order.objects.count() == 1


def test_a_connection_that_breaks_in_the_middle_undoes_all_and_the_same_request_succeeds_later(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(power_bank)
    wish = order_body(api.agreement(power_bank.service.public_id))

    def break_at_the_event(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if "INSERT INTO merchants_event" in expand_sql(sql):
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(break_at_the_event):
        response = api.post("orders", wish, **idempotency_header("k"))

    assert_problem(response, 503, "unavailable")
    assert response["Retry-After"]
    assert not Order.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert api.post("orders", wish, **idempotency_header("k")).status_code == 201


def test_a_server_that_hangs_up_between_two_requests_is_dialled_again(power_bank: Shop) -> None:
    api = Api(power_bank)
    assert api.get("orders").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    assert connection.connection is not None
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    assert_problem(api.get("orders"), 503, "unavailable")
    close_old_connections()  # as a server does between two requests, and Django's client does not

    assert api.get("orders").status_code == 200


def test_a_lock_that_is_not_let_go_is_a_503_and_not_a_500(power_bank: Shop) -> None:
    api = Api(power_bank)
    order = api.order(api.agreement(power_bank.service.public_id))["id"]
    holder = psycopg2.connect(**{k: v for k, v in connection.get_connection_params().items() if k in DIAL})
    try:
        with holder.cursor() as cursor, connection.cursor() as ours:
            cursor.execute("SELECT 1 FROM orders_order FOR UPDATE")
            ours.execute("SET lock_timeout = '50ms'")
            response = api.post(f"orders/{order}/cancel", {"reason": "x"})
    finally:
        holder.close()
        with connection.cursor() as ours:
            ours.execute("RESET lock_timeout")

    assert_problem(response, 503, "unavailable")
    assert response["Retry-After"]
    assert api.post(f"orders/{order}/cancel", {"reason": "x"}).status_code == 200


DIAL = {"dbname", "user", "password", "host", "port", "options"}


def test_without_a_broker_orders_are_opened_and_completed_and_the_sweep_catches_up(
    power_bank: Shop, nowhere: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = f"redis://127.0.0.1:{nowhere}/0"
    monkeypatch.setattr(settings, "REDIS_URL", dead)
    monkeypatch.setattr(app.conf, "broker_url", dead)
    api = Api(power_bank)
    person = api.person()
    order = api.order(api.agreement(power_bank.service.public_id, person))["id"]
    done = api.post(f"orders/{order}/complete", {"total": 600})

    assert (done.status_code, done.json()["state"]) == (200, "completed")
    deduct_due(power_bank.realm_id, at=live_now())
    assert api.get(f"orders/{order}").json()["state"] == "deducted"
    token = f"{power_bank.realm_id}:{person['id'].removeprefix('per_')}"
    assert [money.minor for money in bank.debits_of(token)] == [600]


def test_when_the_bank_cannot_be_reached_the_outcome_is_unknown_and_asked_about(
    power_bank: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(power_bank)
    order = api.order(api.agreement(power_bank.service.public_id))["id"]
    api.post(f"orders/{order}/complete", {"total": 600})

    def no_line(*_args: Any, **_kwargs: Any) -> Any:
        raise psycopg2.OperationalError("no route to the bank")

    with monkeypatch.context() as gone:
        gone.setattr(bank, "debit", no_line)
        collected = api.post(f"orders/{order}/collect")

    assert collected.status_code == 200
    assert collected.json()["collection"]["in_flight"]
    assert collected.json()["state"] == "completed"
