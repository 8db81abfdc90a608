"""A task interrupted by its time limit at any instruction leaves nothing open for the next task of its process."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection
from structlog.testing import capture_logs

from bnpl.celery import close_broken_connections
from kernel.transactions import in_transaction, join_transaction
from kernel.write_batching import execute_write
from tests.kernel.test_write_batching import INSERT, stored_keys

pytestmark = pytest.mark.django_db(transaction=True)
#: Where an interruption leaves something behind.
FILES = ("kernel/write_batching.py", "kernel/transactions.py", "django/db/transaction.py")


def write(key: str) -> None:
    with join_transaction():
        execute_write(INSERT, [key])


def interrupted(work: Callable[[], None], number: int) -> bool:
    """Whether the work was interrupted: at this instruction of these files, if it has so many."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        if count == number and event == "opcode":
            sys.settrace(None)
            raise SoftTimeLimitExceeded
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except (SoftTimeLimitExceeded, Error):  # Django's own cleanup after it may fail
        return True
    finally:
        sys.settrace(previous)
    return False


def interruptions() -> Iterator[int]:
    """Interrupts a write at each instruction in turn, and yields after each."""
    number = 1
    while interrupted(lambda: write("interrupted"), number):
        yield number
        number += 1
    assert number > 100


def test_the_next_task_works_wherever_a_task_was_interrupted() -> None:
    write("first")
    kinds = set()
    for number in interruptions():
        with capture_logs() as lines:
            close_broken_connections()
        kinds |= {(line["event"], line["batch"], line["transaction"]) for line in lines}
        assert not in_transaction()
        write(f"after {number}")
        assert connection.get_autocommit()
        assert stored_keys()[-1] == f"after {number}", number
    event = "left_open_by_a_task"
    assert {(event, True, False), (event, False, True)} & kinds


def test_a_tests_own_transaction_is_left_alone(request: pytest.FixtureRequest) -> None:
    block = type("TestCaseBlock", (), {"_from_testcase": True})()
    connection.atomic_blocks.append(block)
    request.addfinalizer(connection.atomic_blocks.clear)
    with capture_logs() as lines:
        close_broken_connections()
    assert connection.atomic_blocks == [block]
    assert not lines
