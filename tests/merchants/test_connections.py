"""Connections to receivers are reused while they last, and nothing is lost when one has ended."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.clock import live_now
from merchants import connections, http_client, webhook_sender
from merchants.rules.webhooks import Outcome
from merchants.webhook_sender import WebhookRequest, post
from tests.merchants.receiver import (
    Behaviour,
    Handler,
    ReceiverServer,
    Request,
    create_certificate,
    receiver,
    respond_with,
    server_tls_context,
)
from tests.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_connections() -> Iterator[None]:
    http_client.stop_client()
    yield
    http_client.stop_client()


def post_events(server: ReceiverServer, *, times: int = 1, url: str = "") -> list[Outcome]:
    return [post(WebhookRequest(url or server.url(), {}, b"{}"), now=live_now) for _ in range(times)]


def test_the_next_request_reuses_the_connection() -> None:
    with receiver() as server:
        server.keep_alive = True
        assert [outcome.status for outcome in post_events(server, times=5)] == [200] * 5
        assert (server.connections_opened, len(server.requests)) == (1, 5)
        with receiver() as other:
            post_events(other)
        assert other.connections_opened == 1


def test_a_connection_carries_one_request_at_a_time() -> None:
    def slowly(handler: Handler, _request: Request) -> None:
        time.sleep(0.2)
        handler.respond()

    with receiver(slowly) as server:
        server.keep_alive = True
        assert all(
            outcome.succeeded for _ in range(2) for [outcome] in run_concurrently(*[lambda: post_events(server)] * 4)
        )
        assert (server.connections_opened, len(server.requests)) == (4, 8)


def test_after_a_closed_connection_a_new_one_is_opened() -> None:
    with receiver() as server:
        assert all(outcome.succeeded for outcome in post_events(server, times=3))
        assert (server.connections_opened, len(server.requests)) == (3, 3)


def test_a_request_on_a_stale_connection_is_sent_again() -> None:
    def behave(handler: Handler, _request: Request) -> None:
        if len(handler.server.requests) != 2:  # the second is read, and not answered
            handler.respond()
        else:
            handler.close_connection = True

    with receiver(behave) as server:
        server.keep_alive = True
        assert [outcome.status for outcome in post_events(server, times=2)] == [200, 200]
        assert (server.connections_opened, len(server.requests)) == (2, 3)


def test_a_request_on_a_new_connection_is_not_sent_again() -> None:
    with receiver(lambda _handler, _request: None) as server:
        [outcome] = post_events(server)
    assert (outcome.status, len(server.requests)) == (None, 1)


@pytest.mark.parametrize(
    "behave",
    [respond_with(Connection="close"), respond_with(body=b"x" * 2**20)],
    ids=["it says so", "its answer is not read to the end"],
)
def test_a_connection_is_not_reused_where(behave: Behaviour) -> None:
    with receiver(behave) as server:
        server.keep_alive = True
        assert all(outcome.succeeded for outcome in post_events(server, times=2))
        assert server.connections_opened == 2


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle connections are closed in web processes too, which send only now and then."""
    monkeypatch.setattr(connections, "KEEPALIVE_SECONDS", 0.3)
    with receiver() as server:
        server.keep_alive = True
        post_events(server, times=2)
        assert (server.connections_opened, server.connections_open) == (1, 1)
        wait_until(5, lambda: server.connections_open == 0)
        post_events(server)
        assert server.connections_opened == 2


def test_a_body_does_not_wait_for_its_headers_to_be_acknowledged() -> None:
    """Without TCP_NODELAY both sides would wait for each other for 40 ms on a reused connection (RFC 896, RFC 1122)."""
    with receiver() as server:
        server.keep_alive = True
        post_events(server)
        [line] = sockets_to(server)
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def sockets_to(server: ReceiverServer) -> list[socket.socket]:
    """The sockets that this process has open to a receiver."""
    kept = http_client.get_client().kept_session.connector
    assert kept is not None
    there = [proto.transport for some in kept._conns.values() for proto, _ in some]  # noqa: SLF001  nobody else tells
    sockets = [transport.get_extra_info("socket") for transport in there if transport is not None]
    return [one for one in sockets if one.getpeername()[1] == server.server_address[1]]


def wait_until(seconds: float, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_connections_are_kept_to_a_limited_number_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "KEPT_HOSTS_MAX", 1)
    with receiver() as server, receiver() as other:
        server.keep_alive = other.keep_alive = True
        for each in (server, other):
            assert all(outcome.succeeded for outcome in post_events(each, times=2))
        assert (server.connections_opened, other.connections_opened) == (1, 2)
        wait_until(5, lambda: other.connections_open == 0)
        later = time.monotonic() + connections.KEEPALIVE_SECONDS + webhook_sender.TIMEOUT_SECONDS
        monkeypatch.setattr(http_client.time, "monotonic", lambda: later)
        post_events(other, times=2)  # nobody has asked the first for long
        assert (other.connections_opened, other.connections_open) == (3, 1)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_opens_its_own_connections() -> None:
    with receiver() as server:
        server.keep_alive = True
        post_events(server)
        pid = os.fork()
        if pid == 0:
            os._exit([outcome.succeeded for outcome in post_events(server, times=2)].count(True))
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 2
        assert post_events(server)[0].succeeded
        assert (server.connections_opened, len(server.requests)) == (2, 4)


@pytest.mark.parametrize("path", ["/a/../b", "/x//y", "/a%2Fb?c=%e4&d=+&&e", "/?", "/a;b=c?x=1?y", "/%E4%B8%AD"])
def test_the_path_is_sent_as_it_was_written(path: str) -> None:
    with receiver() as server:
        [outcome] = post_events(server, url=server.url(path))
        assert outcome.succeeded
        assert server.requests[0].path == path.removesuffix("?")


def test_a_tls_connection_is_reused_with_a_new_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def behave(handler: Handler, _request: Request) -> None:
        if len(handler.server.requests) == 3:
            handler.server.ended.wait(5)
        handler.respond()

    certificate = create_certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
    monkeypatch.setattr(http_client, "tls_context", lambda: trusted)
    with receiver(behave, tls=server_tls_context(certificate)) as server:
        server.keep_alive = True
        url = server.url(scheme="https")
        assert [outcome.status for outcome in post_events(server, times=2, url=url)] == [200, 200]
        monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 0.4)
        started = time.monotonic()
        [outcome] = post_events(server, url=url)
        assert (outcome.status, outcome.error) == (None, "timeout")
        assert time.monotonic() - started < 3
        assert (server.connections_opened, sockets_to(server)) == (1, [])
