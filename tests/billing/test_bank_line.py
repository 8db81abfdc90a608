"""The sandbox bank's own line to the database, where it breaks."""

import pytest
from django.db import Error, connection

from billing.channels import bank
from tests.api import PROBLEM, Api
from tests.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


def cut() -> None:
    """The server ends the bank's line, as when it is started anew."""
    with bank.books() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_developer_whose_sandbox_lost_its_database_is_told_to_come_back(power_bank: Shop) -> None:
    cut()
    answer = Api(power_bank).post("sandbox/people", {"name": "艾达", "behaviour": "pays"})
    assert (answer.status_code, answer["Content-Type"]) == (503, PROBLEM), answer.content
    assert answer["Retry-After"] == "2"
    assert Api(power_bank).person()["id"]


def test_a_line_that_broke_in_the_middle_is_an_error_of_djangos_and_the_next_one_is_new(power_bank: Shop) -> None:
    assert power_bank
    cut()
    with pytest.raises(Error), bank.books() as cursor:
        cursor.execute("SELECT 1")
    with bank.books() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
