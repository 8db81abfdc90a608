"""The sandbox bank's own database connection, when it breaks."""

from typing import Any

import pytest
from django.db import Error, connection

from billing.channels import bank
from tests.api import PROBLEM, Api
from tests.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def cut() -> None:
    """The server ends the bank's idle connection, as when it is restarted."""
    with bank.bank_transaction() as cursor:
        pid = pid_of(cursor)
    terminate(pid)


def pid_of(cursor: Any) -> int:
    cursor.execute("SELECT pg_backend_pid()")
    return int(cursor.fetchone()[0])


def lose(cursor: Any) -> None:
    """The server ends the connection in the middle of a transaction, which notices it."""
    terminate(pid_of(cursor))
    cursor.execute("SELECT 1")


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_lost_bank_database_is_a_retryable_error(power_bank: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    api, open_account = Api(power_bank), bank.open_account

    def open_and_lose(*asked: Any, **named: Any) -> Any:
        with bank.bank_transaction() as cursor:
            lose(cursor)
        return open_account(*asked, **named)

    with monkeypatch.context() as patch:
        patch.setattr(bank, "open_account", open_and_lose)
        answer = api.post("sandbox/people", {"name": "艾达", "behaviour": "pays"})
    assert (answer.status_code, answer["Content-Type"]) == (503, PROBLEM), answer.content
    assert answer["Retry-After"] == "2"
    assert Api(power_bank).person()["id"]


def test_a_broken_connection_raises_a_django_error_and_is_replaced(power_bank: Shop) -> None:
    assert power_bank
    with pytest.raises(Error), bank.bank_transaction() as cursor:
        lose(cursor)
    with bank.bank_transaction() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_an_idle_connection_that_the_server_closed_is_replaced_before_it_is_used(power_bank: Shop) -> None:
    assert power_bank
    cut()
    with bank.bank_transaction() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
