"""What is written together is seen in its order by whoever asks, and undone with what it was part of."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from kernel.models import IdempotencyKey
from kernel.transactions import joined
from kernel.write_batching import together, write

pytestmark = pytest.mark.django_db(transaction=True)
KEEP = (
    "INSERT INTO kernel_idempotencykey (scope, key, route, request_hash, status, content_type, body)"
    " VALUES (gen_random_uuid(), %s, '', '', 200, '', '')"
)


def kept() -> list[str]:
    return list(IdempotencyKey.objects.order_by("id").values_list("key", flat=True))


def test_they_wait_for_the_next_question_and_go_before_it_in_the_same_message() -> None:
    with CaptureQueriesContext(connection) as sent, transaction.atomic(), together():
        write(KEEP, ["one: 100% ;"])
        write(KEEP, ["two"])
        assert kept() == ["one: 100% ;", "two"]
        write(KEEP, ["three"])
    assert [query["sql"].count("INSERT") for query in sent] == [0, 2, 1, 0]
    assert kept() == ["one: 100% ;", "two", "three"]


def test_outside_nothing_waits() -> None:
    write(KEEP, ["now"])
    assert kept() == ["now"]


def fail_after(key: str) -> None:
    write(KEEP, [key])
    raise ZeroDivisionError


def make_a_second_live_realm() -> None:
    write("INSERT INTO kernel_realm (mode, clock_offset) VALUES (%s, interval '0')", ["live"])


def test_what_failed_inside_is_not_written() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), together():
        fail_after("never")
    assert kept() == []


def test_a_part_that_failed_and_was_caught_is_undone_alone() -> None:
    with transaction.atomic(), together():
        write(KEEP, ["before"])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fail_after("undone")
        write(KEEP, ["after"])
    assert kept() == ["before", "after"]


def test_what_the_database_refuses_is_heard_before_the_transaction_ends() -> None:
    with pytest.raises(IntegrityError), joined():
        make_a_second_live_realm()
    with transaction.atomic(), together():
        write(KEEP, ["kept"])
        with pytest.raises(IntegrityError), transaction.atomic():
            make_a_second_live_realm()
    assert kept() == ["kept"]
    assert connection.execute_wrappers == []


def test_whoever_listens_hears_what_is_really_sent() -> None:
    heard: list[str] = []

    def listen(execute: object, sql: str, *how: object) -> object:
        heard.append(sql)
        return execute(sql, *how)  # type: ignore[operator]

    with connection.execute_wrapper(listen), transaction.atomic(), together():
        write(KEEP, ["one"])
        kept()
    assert ["INSERT" in sql for sql in heard] == [True]
    assert "SELECT" in heard[0]
