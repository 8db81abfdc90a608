"""Receivers that respond too much, too early or without end affect only their own delivery."""

import time
from collections.abc import Iterator

import pytest

from kernel.clock import live_now
from merchants import http_client, webhook_sender
from merchants.rules.webhooks import Outcome
from merchants.webhook_sender import WebhookRequest, post
from tests.merchants.receiver import Behaviour, Handler, ReceiverServer, Request, receiver

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_connections() -> Iterator[None]:
    http_client.stop_client()
    yield
    http_client.stop_client()


def post_event(server: ReceiverServer) -> Outcome:
    return post(WebhookRequest(server.url(), {}, '{"data": "充电宝 🔋"}'.encode()), now=live_now)


@pytest.mark.parametrize(
    "early", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 408 Request Timeout\r\n\r\n"]
)
@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_data_received_before_a_request_is_not_its_response(early: bytes, pause: float) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        first = len(handler.server.requests) == 1
        if not first:
            handler.respond(500)
        elif pause:
            handler.respond(202)
            handler.server.ended.wait(pause)
            handler.wfile.write(early)
        else:  # in one piece with the first answer
            handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" + early)

    with receiver(behave) as server:
        server.keep_alive = True
        first = post_event(server)
        time.sleep(2 * pause)
        assert (first.status, post_event(server).status) == (202, 500)
        assert len(server.requests) == 2


def endless_head(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"X-More: " + b"x" * 1_000 + b"\r\n")


def one_long_line(handler: Handler, _request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000_000 + b"\r\n\r\n")


@pytest.mark.parametrize("behave", [endless_head, one_long_line])
def test_huge_headers_are_not_read_to_the_end(behave: Behaviour) -> None:
    with receiver(behave) as server:
        started = time.monotonic()
        assert post_event(server).error == "broken_answer"
        assert time.monotonic() - started < webhook_sender.TIMEOUT_SECONDS


def test_endless_1xx_responses_end_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        while not handler.server.ended.wait(0.01):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 0.5)
    with receiver(behave) as server:
        started = time.monotonic()
        assert post_event(server).error == "timeout"
        assert time.monotonic() - started < 5
