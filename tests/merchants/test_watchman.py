"""One thread cuts every line whose time is up: each at its own, none before, and none that is over."""

import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from merchants.watchman import Line, Watchman


@contextmanager
def watched(watchman: Watchman, seconds: float) -> Iterator[tuple[socket.socket, list[float]]]:
    """A line on which nothing ever comes, and when it was cut."""
    here, there = socket.socketpair()
    cut = list[float]()
    with here, there, watchman.over(Line(time.monotonic() + seconds, here, lambda: cut.append(time.monotonic()))):
        yield here, cut


def waits(line: socket.socket) -> float:
    """How long until nothing more can come."""
    began = time.monotonic()
    assert line.recv(1) == b""
    return time.monotonic() - began


def test_whoever_waits_is_cut_off_at_its_time() -> None:
    with watched(Watchman(), 0.2) as (line, cut):
        assert waits(line) >= 0.15
        assert len(cut) == 1


def test_one_that_came_later_and_ends_sooner_is_cut_first() -> None:
    watchman = Watchman()
    with watched(watchman, 30) as (_, long), watched(watchman, 0.1) as (line, short):
        assert waits(line) < 10
        assert (len(short), long) == (1, [])


def test_what_is_over_in_time_is_never_cut() -> None:
    watchman = Watchman()
    with watched(watchman, 0.1) as (_, over):
        pass
    with watched(watchman, 0.4) as (line, cut):
        waits(line)
    assert (over, len(cut)) == ([], 1)


def test_a_hundred_lines_at_once_are_cut_each_once_and_the_watchman_rests_and_wakes_again() -> None:
    watchman = Watchman()
    for _ in range(2):
        with ExitStack() as stack, ThreadPoolExecutor(100) as hands:
            lines = [stack.enter_context(watched(watchman, 0.1 + place / 1000)) for place in range(100)]
            list(hands.map(lambda pair: waits(pair[0]), lines))
            assert [len(cut) for _, cut in lines] == [1] * 100


def test_a_line_whose_socket_is_gone_stops_nobody() -> None:
    watchman = Watchman()
    with watched(watchman, 0.1) as (gone, told), watched(watchman, 0.2) as (line, _):
        gone.close()
        waits(line)
        assert len(told) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_worker_has_a_watchman_too() -> None:
    watchman = Watchman()
    with watched(watchman, 0.05) as (line, _):
        waits(line)
    pid = os.fork()
    if pid == 0:
        with watched(watchman, 0.05) as (line, cut):
            waits(line)
            os._exit(len(cut))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
