"""A receiver that answers more than it was asked, before it is asked, or without end, spoils its own answer alone."""

import time
from collections.abc import Iterator

import pytest

from kernel.clock import live_now
from merchants import client, courier
from merchants.courier import Parcel, post
from merchants.rules.webhooks import Outcome
from tests.merchants.receiver import Behaviour, Handler, Request, Server, receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def none_open() -> Iterator[None]:
    client.stop()
    yield
    client.stop()


def told(server: Server) -> Outcome:
    return post(Parcel(server.url(), {}, '{"data": "充电宝 🔋"}'.encode()), real=live_now)


@pytest.mark.parametrize(
    "early", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 408 Request Timeout\r\n\r\n"]
)
@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_what_was_said_before_the_question_is_no_answer_to_it(early: bytes, pause: float) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        first = len(handler.server.seen) == 1
        if not first:
            handler.answer(500)
        elif pause:
            handler.answer(202)
            handler.server.ended.wait(pause)
            handler.wfile.write(early)
        else:  # in one piece with the first answer
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" + early)

    with receiver(behave) as home:
        home.keeps_lines = True
        first = told(home)
        time.sleep(2 * pause)
        assert (first.status, told(home).status) == (202, 500)
        assert len(home.seen) == 2


def endless_head(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"X-More: " + b"x" * 1_000 + b"\r\n")


def one_long_line(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000_000 + b"\r\n\r\n")


@pytest.mark.parametrize("behave", [endless_head, one_long_line])
def test_a_head_of_ten_megabytes_is_read_no_further_than_a_head_is_long(behave: Behaviour) -> None:
    with receiver(behave) as home:
        began = time.monotonic()
        assert told(home).error == "broken_answer"
        assert time.monotonic() - began < courier.BUDGET_SECONDS


def test_who_says_go_on_for_ever_says_it_no_longer_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        while not handler.server.ended.wait(0.01):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr(courier, "BUDGET_SECONDS", 0.5)
    with receiver(behave) as home:
        began = time.monotonic()
        assert told(home).error == "timeout"
        assert time.monotonic() - began < 5
