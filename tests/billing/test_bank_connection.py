"""The sandbox bank's own database connection, when it breaks."""

import pytest
from django.db import Error, connection

from billing.channels import bank
from tests.api import PROBLEM, Api
from tests.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def cut() -> None:
    """The server ends the bank's line, as when it is started anew."""
    with bank.bank_transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_lost_bank_database_is_a_retryable_error(power_bank: Shop) -> None:
    cut()
    answer = Api(power_bank).post("sandbox/people", {"name": "艾达", "behaviour": "pays"})
    assert (answer.status_code, answer["Content-Type"]) == (503, PROBLEM), answer.content
    assert answer["Retry-After"] == "2"
    assert Api(power_bank).person()["id"]


def test_a_broken_connection_raises_a_django_error_and_is_replaced(power_bank: Shop) -> None:
    assert power_bank
    cut()
    with pytest.raises(Error), bank.bank_transaction() as cursor:
        cursor.execute("SELECT 1")
    with bank.bank_transaction() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
