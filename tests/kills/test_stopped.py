"""A worker whose child processes are stopped sends no heartbeat, though its main process runs."""

import os
import signal

import pytest

from bnpl.heartbeat_step import STALLED_AFTER_SECONDS
from tests.kills.running_stack import descendants, run_stack

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

NOTICED_SECONDS = STALLED_AFTER_SECONDS + 30


def test_a_worker_with_stopped_children_sends_no_heartbeat() -> None:
    with run_stack("worker", "beat") as stack:
        stack.sleep(2)
        children = descendants(stack.pid("worker"))
        assert children
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        stack.wait_until(lambda: not stack.worker_is_ready(), "The pulse beats with stopped children.", NOTICED_SECONDS)
        for pid in children:
            os.kill(pid, signal.SIGCONT)
        stack.wait_until(stack.worker_is_ready, "The worker is not felt again.", NOTICED_SECONDS)
