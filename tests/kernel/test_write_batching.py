"""Batched writes are visible to later queries, in order, and rolled back with their transaction."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.models import IdempotencyKey
from kernel.transactions import join_transaction
from kernel.write_batching import batch_writes, execute_write

pytestmark = pytest.mark.django_db(transaction=True)
INSERT = (
    "INSERT INTO kernel_idempotencykey (scope, key, route, request_hash, status, content_type, body)"
    " VALUES (gen_random_uuid(), %s, '', '', 200, '', '')"
)


def stored_keys() -> list[str]:
    return list(IdempotencyKey.objects.order_by("id").values_list("key", flat=True))


def test_writes_are_sent_with_the_next_query_before_it() -> None:
    with CaptureQueriesContext(connection) as sent, transaction.atomic(), batch_writes():
        execute_write(INSERT, ["one: 100% ;"])
        execute_write(INSERT, ["two"])
        assert stored_keys() == ["one: 100% ;", "two"]
        execute_write(INSERT, ["three"])
    assert [query["sql"].count("INSERT") for query in sent] == [0, 2, 1, 0]
    assert stored_keys() == ["one: 100% ;", "two", "three"]


def test_outside_a_batch_writes_are_sent_at_once() -> None:
    execute_write(INSERT, ["now"])
    assert stored_keys() == ["now"]


def fail_after(key: str) -> None:
    execute_write(INSERT, [key])
    raise ZeroDivisionError


def fail_after_a_bad_write() -> None:
    make_a_second_live_realm()
    raise ZeroDivisionError


def make_a_second_live_realm() -> None:
    execute_write("INSERT INTO kernel_realm (mode, clock_offset) VALUES (%s, interval '0')", ["live"])


def test_a_failed_block_writes_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), batch_writes():
        fail_after("never")
    assert stored_keys() == []


def test_a_write_that_the_database_would_refuse_is_not_sent_before_its_rollback() -> None:
    with transaction.atomic(), batch_writes():
        execute_write(INSERT, ["before"])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fail_after_a_bad_write()
        execute_write(INSERT, ["after"])
    assert stored_keys() == ["before", "after"]


def test_a_failed_savepoint_is_rolled_back_alone() -> None:
    with transaction.atomic(), batch_writes():
        execute_write(INSERT, ["before"])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fail_after("undone")
        execute_write(INSERT, ["after"])
    assert stored_keys() == ["before", "after"]


def test_database_errors_are_raised_before_the_transaction_ends() -> None:
    with pytest.raises(IntegrityError), join_transaction():
        make_a_second_live_realm()
    with transaction.atomic(), batch_writes():
        execute_write(INSERT, ["kept"])
        with pytest.raises(IntegrityError), transaction.atomic():
            make_a_second_live_realm()
    assert stored_keys() == ["kept"]
    assert connection.execute_wrappers == []


def test_execute_wrappers_see_what_is_really_sent() -> None:
    heard: list[str] = []

    def listen(execute: object, sql: str, *how: object) -> object:
        heard.append(sql)
        return execute(sql, *how)  # type: ignore[operator]

    with connection.execute_wrapper(listen), transaction.atomic(), batch_writes():
        execute_write(INSERT, ["one"])
        stored_keys()
    assert ["INSERT" in sql for sql in heard] == [True]
    assert "SELECT" in heard[0]
