"""A line to a receiver is used again while it lasts, and nothing is lost where it has ended."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.clock import live_now
from merchants import client, courier, lines
from merchants.courier import Parcel, post
from merchants.rules.webhooks import Outcome
from tests.merchants.receiver import Behaviour, Handler, Request, Server, certificate_in, receiver, says, tls
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def none_open() -> Iterator[None]:
    client.stop()
    yield
    client.stop()


def told(server: Server, *, times: int = 1, url: str = "") -> list[Outcome]:
    return [post(Parcel(url or server.url(), {}, b"{}"), real=live_now) for _ in range(times)]


def test_the_next_parcel_goes_over_the_same_line() -> None:
    with receiver() as home:
        home.keeps_lines = True
        assert [outcome.status for outcome in told(home, times=5)] == [200] * 5
        assert (home.lines, len(home.seen)) == (1, 5)
        with receiver() as other:
            told(other)
        assert other.lines == 1


def test_a_line_is_in_one_hand_at_a_time() -> None:
    def slowly(handler: Handler, _request: Request) -> None:
        time.sleep(0.2)
        handler.answer()

    with receiver(slowly) as home:
        home.keeps_lines = True
        assert all(outcome.good for _ in range(2) for [outcome] in at_once(*[lambda: told(home)] * 4))
        assert (home.lines, len(home.seen)) == (4, 8)


def test_who_hangs_up_without_a_word_is_told_over_a_new_line() -> None:
    with receiver() as home:
        assert all(outcome.good for outcome in told(home, times=3))
        assert (home.lines, len(home.seen)) == (3, 3)


def test_who_hangs_up_as_they_are_asked_again_is_asked_once_more() -> None:
    def behave(handler: Handler, _request: Request) -> None:
        if len(handler.server.seen) != 2:  # the second is read, and not answered
            handler.answer()
        else:
            handler.close_connection = True

    with receiver(behave) as home:
        home.keeps_lines = True
        assert [outcome.status for outcome in told(home, times=2)] == [200, 200]
        assert (home.lines, len(home.seen)) == (2, 3)


def test_who_hangs_up_on_a_new_line_is_not_asked_again() -> None:
    with receiver(lambda _handler, _request: None) as home:
        [outcome] = told(home)
    assert (outcome.status, len(home.seen)) == (None, 1)


@pytest.mark.parametrize(
    "behave",
    [says(Connection="close"), says(body=b"x" * 2**20)],
    ids=["it says so", "its answer is not read to the end"],
)
def test_a_line_is_not_used_again_where(behave: Behaviour) -> None:
    with receiver(behave) as home:
        home.keeps_lines = True
        assert all(outcome.good for outcome in told(home, times=2))
        assert home.lines == 2


def test_a_line_that_nobody_used_for_long_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody rings in a web process, which asks for an answer now and then; its old lines end all the same."""
    monkeypatch.setattr(lines, "KEPT_SECONDS", 0.3)
    with receiver() as home:
        home.keeps_lines = True
        told(home, times=2)
        assert (home.lines, home.open) == (1, 1)
        within(5, lambda: home.open == 0)
        told(home)
        assert home.lines == 2


def test_a_body_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    """Over a line that is used again both sides would wait for each other, for 40 ms (RFC 896 meets RFC 1122)."""
    with receiver() as home:
        home.keeps_lines = True
        told(home)
        [line] = lines_to(home)
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def lines_to(server: Server) -> list[socket.socket]:
    """What this process has open to a receiver."""
    kept = client.running().kept.connector
    assert kept is not None
    there = [proto.transport for some in kept._conns.values() for proto, _ in some]  # noqa: SLF001  nobody else tells
    sockets = [transport.get_extra_info("socket") for transport in there if transport is not None]
    return [one for one in sockets if one.getpeername()[1] == server.server_address[1]]


def within(seconds: float, come_true: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not come_true():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_there_is_an_end_to_the_hosts_whose_lines_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DOORS_MOST", 1)
    with receiver() as home, receiver() as other:
        home.keeps_lines = other.keeps_lines = True
        for server in (home, other):
            assert all(outcome.good for outcome in told(server, times=2))
        assert (home.lines, other.lines) == (1, 2)
        within(5, lambda: other.open == 0)
        later = time.monotonic() + lines.KEPT_SECONDS + courier.BUDGET_SECONDS
        monkeypatch.setattr(client.time, "monotonic", lambda: later)
        told(other, times=2)  # nobody has asked the first for long
        assert (other.lines, other.open) == (3, 1)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_sends_over_lines_of_its_own() -> None:
    with receiver() as home:
        home.keeps_lines = True
        told(home)
        pid = os.fork()
        if pid == 0:
            os._exit([outcome.good for outcome in told(home, times=2)].count(True))
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 2
        assert told(home)[0].good
        assert (home.lines, len(home.seen)) == (2, 4)


@pytest.mark.parametrize("path", ["/a/../b", "/x//y", "/a%2Fb?c=%e4&d=+&&e", "/?", "/a;b=c?x=1?y", "/%E4%B8%AD"])
def test_what_is_asked_for_stands_as_it_was_written(path: str) -> None:
    with receiver() as home:
        [outcome] = told(home, url=home.url(path))
        assert outcome.good
        assert home.seen[0].path == path.removesuffix("?")


def test_a_secure_line_is_used_again_and_its_time_runs_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        if len(handler.server.seen) == 3:
            handler.server.ended.wait(5)
        handler.answer()

    certificate = certificate_in(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
    monkeypatch.setattr(client, "trust", lambda: trusted)
    with receiver(behave, tls=tls(certificate)) as home:
        home.keeps_lines = True
        url = home.url(scheme="https")
        assert [outcome.status for outcome in told(home, times=2, url=url)] == [200, 200]
        monkeypatch.setattr(courier, "BUDGET_SECONDS", 0.4)
        began = time.monotonic()
        [outcome] = told(home, url=url)
        assert (outcome.status, outcome.error) == (None, "timeout")
        assert time.monotonic() - began < 3
        assert (home.lines, lines_to(home)) == (1, [])
