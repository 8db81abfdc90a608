"""A line to a receiver is used again while it lasts, and nothing is lost where it has ended."""

import math
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.clock import live_now
from merchants import courier, lines
from merchants.courier import Parcel, post
from merchants.lines import LINES
from merchants.rules.webhooks import Outcome
from tests.merchants.receiver import Behaviour, Handler, Request, Server, certificate_in, receiver, says, tls
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def none_open() -> Iterator[None]:
    LINES.hang_up(math.inf)
    yield
    LINES.hang_up(math.inf)


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
    [says(Connection="close"), says(body=b"x" * (courier.ANSWER_MAX + 1))],
    ids=["it says so", "its answer is not read to the end"],
)
def test_a_line_is_not_used_again_where(behave: Behaviour) -> None:
    with receiver(behave) as home:
        home.keeps_lines = True
        assert all(outcome.good for outcome in told(home, times=2))
        assert home.lines == 2


def test_a_line_that_nobody_used_for_long_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as home:
        home.keeps_lines = True
        told(home)
        LINES.hang_up()
        assert len(LINES) == 1
        later = time.monotonic() + lines.KEPT_SECONDS
        monkeypatch.setattr(lines.time, "monotonic", lambda: later)
        assert LINES.take(("http", "127.0.0.1", home.server_address[1])) is None
        monkeypatch.undo()
        told(home)
        LINES.hang_up(time.monotonic() + lines.KEPT_SECONDS)
        assert len(LINES) == 0
        assert home.lines == 2


def test_whoever_keeps_a_line_hangs_up_on_those_that_are_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody rings in a web process, which asks for an answer now and then; its old lines end all the same."""
    with receiver() as home, receiver() as other:
        home.keeps_lines = other.keeps_lines = True
        told(home)
        later = time.monotonic() + lines.KEPT_SECONDS
        monkeypatch.setattr(lines.time, "monotonic", lambda: later)
        told(other)
        assert len(LINES) == 1


def test_a_body_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    with receiver() as home:
        home.keeps_lines = True
        told(home)
        line = LINES.take(("http", "127.0.0.1", home.server_address[1]))
        assert line is not None
        assert line.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        line.close()


def test_there_is_an_end_to_the_lines_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST", 0)
    with receiver() as home:
        home.keeps_lines = True
        assert all(outcome.good for outcome in told(home, times=2))
        assert home.lines == 2


def test_a_secure_line_is_used_again_and_its_time_runs_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        if len(handler.server.seen) == 3:
            handler.server.ended.wait(5)
        handler.answer()

    certificate = certificate_in(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
    monkeypatch.setattr(courier, "trust", lambda: trusted)
    with receiver(behave, tls=tls(certificate)) as home:
        home.keeps_lines = True
        url = home.url(scheme="https")
        assert [outcome.status for outcome in told(home, times=2, url=url)] == [200, 200]
        monkeypatch.setattr(courier, "BUDGET_SECONDS", 0.4)
        began = time.monotonic()
        [outcome] = told(home, url=url)
        assert (outcome.status, outcome.error) == (None, "timeout")
        assert time.monotonic() - began < 3
        assert (home.lines, len(LINES)) == (1, 0)
