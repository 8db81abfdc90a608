"""A worker whose children stand still says so: its first process beats on for nobody."""

import os
import signal

import pytest

from bnpl.pulse import TAKES_WITHIN_SECONDS
from tests.kills.house import descendants, house

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

NOTICED_SECONDS = TAKES_WITHIN_SECONDS + 30


def test_a_worker_whose_children_are_stopped_is_not_felt_until_they_go_on() -> None:
    with house("worker", "beat") as home:
        home.stay(2)
        children = descendants(home.pid("worker"))
        assert children
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        home.until(lambda: not home.worker_is_felt(), "The pulse beats with stopped children.", NOTICED_SECONDS)
        for pid in children:
            os.kill(pid, signal.SIGCONT)
        home.until(home.worker_is_felt, "The worker is not felt again.", NOTICED_SECONDS)
