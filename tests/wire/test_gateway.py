"""The gateway as granian calls it: what it reads, what it limits, and what it refuses."""

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # re-exported
from structlog.testing import capture_logs

from bnpl import gateway
from bnpl.gateway import REQUEST_BYTES_MAX, Gateway, GatewayResponse
from kernel.request_log import API_VERSION
from tests.api import PROBLEM
from tests.threads import run_async


class Names:
    """Header fields as granian hands them over: one it cannot read has a name and no value."""

    def __init__(self, fields: list[tuple[str, str]], unreadable: tuple[str, ...] = ()) -> None:
        self.fields, self.unreadable = fields, unreadable

    def items(self) -> list[tuple[str, str]]:
        return self.fields

    def keys(self) -> list[str]:
        return [*dict(self.fields), *self.unreadable]

    def get(self, name: str) -> str | None:
        return dict(self.fields).get(name)


@dataclass
class Scope:
    path: str = "/v1/orders"
    method: str = "POST"
    headers: Names = field(default_factory=lambda: Names([("host", "x")]))
    query_string: str = ""
    server: str = "127.0.0.1:80"
    client: str = "192.0.2.1:4711"
    http_version: str = "1.1"
    scheme: str = "http"
    authority: str | None = None


@dataclass
class Protocol:
    """A caller's body, each piece after a pause."""

    pieces: list[bytes] = field(default_factory=list)
    pause: float = 0.0

    async def __call__(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            yield piece


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [("Content-Type", "application/json")])
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps(told | {"body": environ["wsgi.input"].read().decode("latin-1")}).encode()]


def answered(scope: Scope, protocol: Protocol | None = None, app: Any = echo) -> GatewayResponse:
    return run_async(Gateway(app).respond(scope, protocol or Protocol()))


def seen(scope: Scope, protocol: Protocol | None = None) -> dict[str, Any]:
    """What the application behind the front is given."""
    answer = answered(scope, protocol)
    assert answer.status == 200, answer
    return dict(json.loads(answer.body))


def refused(answer: GatewayResponse, status: int, code: str) -> None:
    assert answer.status == status, answer
    headers, body = dict(answer.headers), json.loads(answer.body)
    assert headers["Content-Type"] == PROBLEM
    assert (body["status"], body["code"], body["request_id"]) == (status, code, headers["Request-Id"])


@pytest.mark.parametrize("text", ["客户1", "订单 🔋", "café"])
def test_a_query_may_hold_utf_8_as_curl_sends_it(text: str) -> None:
    environ = seen(Scope(query_string=f"person_ref={text}")) | {"wsgi.input": io.BytesIO()}
    assert WSGIRequest(environ).GET["person_ref"] == text


@pytest.mark.parametrize("name", ["cookie", "idempotency-key", "x-forwarded-for"])
def test_a_header_that_cannot_be_read_is_named(name: str) -> None:
    answer = answered(Scope(headers=Names([("host", "x")], unreadable=(name,))))
    refused(answer, 400, "malformed_request")
    assert name in json.loads(answer.body)["detail"]


def test_a_header_that_nothing_depends_on_may_hold_anything() -> None:
    assert "HTTP_USER_AGENT" not in seen(Scope(headers=Names([("host", "x")], unreadable=("user-agent", "referer"))))


def test_a_page_says_when_a_cookie_of_another_service_is_in_the_way() -> None:
    answer = answered(Scope(path="/orders/", method="GET", headers=Names([("host", "x")], unreadable=("cookie",))))
    assert (answer.status, dict(answer.headers)["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "Cookie" in answer.body.decode()
    other = answered(Scope(path="/orders/", method="GET", headers=Names([("host", "x")], unreadable=("x-a",))))
    assert "Cookie" not in other.body.decode()


def test_a_refusal_keeps_the_callers_request_id_and_states_the_version() -> None:
    fields = [("request-id", "mine-12345678"), ("content-length", "10000000")]
    answer = answered(Scope(headers=Names(fields)))
    refused(answer, 413, "too_large")
    assert dict(answer.headers)["Request-Id"] == "mine-12345678"
    assert dict(answer.headers)["Bnpl-Version"] == API_VERSION


@pytest.mark.parametrize("more", [[], [("content-length", "8")]])
def test_a_body_without_a_declared_length_is_refused_unread(more: list[tuple[str, str]]) -> None:
    unread = Protocol([b"x"], pause=60)
    answer = answered(Scope(headers=Names([("transfer-encoding", "chunked"), *more])), unread)
    refused(answer, 411, "length_required")
    assert ("Connection", "close") in answer.headers


def test_a_body_in_pieces_arrives_whole() -> None:
    told = seen(Scope(headers=Names([("content-length", "8")])), Protocol([b'{"a"', b": 1}", b""]))
    assert (told["body"], told["CONTENT_LENGTH"]) == ('{"a": 1}', "8")


def test_a_caller_who_hangs_up_within_the_body_gets_no_answer_and_no_traceback() -> None:
    class HangsUp(Protocol):
        async def __call__(self) -> bytes:
            raise ProtocolClosed

    run_async(Gateway(echo).__rsgi__(Scope(headers=Names([("content-length", "8")])), HangsUp()))


@pytest.mark.parametrize("length", ["10000000", "9" * 4_300, "-1", "x", "1,1", "１"])
def test_a_body_that_says_it_is_too_long_is_not_read(length: str) -> None:
    unread = Protocol([b"x"], pause=60)
    refused(answered(Scope(headers=Names([("content-length", length)])), unread), 413, "too_large")


@pytest.mark.parametrize("protocol", [Protocol([b"x"] * 1_000, pause=0.05), Protocol([b"x"], pause=60)])
def test_a_body_that_drips_or_does_not_come_is_cut_off(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gateway.BODY_TIMEOUT_SECONDS <= 30
    monkeypatch.setattr(gateway, "BODY_TIMEOUT_SECONDS", 0.2)
    began = time.monotonic()
    refused(answered(Scope(headers=Names([("content-length", "1000")])), protocol), 408, "too_slow")
    assert time.monotonic() - began < 10


def test_the_head_has_an_end_too() -> None:
    refused(answered(Scope(query_string="x" * 9_000)), 413, "too_large")
    refused(answered(Scope(query_string="客" * 3_000)), 413, "too_large")
    refused(answered(Scope(headers=Names([("x-a", "x" * 33_000)]))), 413, "too_large")
    refused(answered(Scope(headers=Names([(f"x-{n}", "x" * 300) for n in range(120)]))), 413, "too_large")
    assert seen(Scope(query_string="x" * 8_000))["QUERY_STRING"] == "x" * 8_000


def test_a_header_with_an_underscore_is_not_taken_for_the_one_a_proxy_wrote() -> None:
    fields = [("x_forwarded_for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7"), ("authorization_", "x")]
    told = seen(Scope(headers=Names(fields)))
    assert told["HTTP_X_FORWARDED_FOR"] == "203.0.113.7"
    assert "HTTP_AUTHORIZATION_" not in told


def test_a_doubled_header_is_both_and_so_opens_nothing_it_should_not() -> None:
    fields = [("authorization", "Bearer a"), ("authorization", "Bearer b"), ("cookie", "a=1"), ("cookie", "b=2")]
    told = seen(Scope(headers=Names(fields)))
    assert told["HTTP_AUTHORIZATION"] == "Bearer a,Bearer b"
    assert told["HTTP_COOKIE"] == "a=1; b=2"


def test_a_header_that_cannot_be_read_is_refused_and_not_overlooked() -> None:
    refused(answered(Scope(headers=Names([("host", "x")], ("idempotency-key",)))), 400, "malformed_request")


def test_the_address_and_the_path_are_what_wsgi_says_they_are() -> None:
    told = seen(Scope(path="/v1/密", client="[2001:db8::1]:99", authority="a.example", headers=Names([])))
    assert told["REMOTE_ADDR"] == "2001:db8::1"
    assert told["PATH_INFO"].encode("latin-1").decode() == "/v1/密"
    assert told["HTTP_HOST"] == "a.example"


def test_an_application_that_breaks_is_a_problem_without_a_word_of_why() -> None:
    def broken(_environ: dict[str, Any], _start: Any) -> list[bytes]:
        raise RuntimeError("/secret/path")

    with capture_logs() as lines:
        answer = answered(Scope(), app=broken)
    refused(answer, 500, "internal_error")
    assert b"secret" not in answer.body
    assert [line["event"] for line in lines] == ["not_answered"]


def test_people_are_turned_away_with_a_page() -> None:
    answer = answered(Scope(path="/orders/", headers=Names([("content-length", str(REQUEST_BYTES_MAX + 1))])))
    assert (answer.status, dict(answer.headers)["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert "<html" in answer.body.decode()


def test_a_long_answer_waits_in_a_file_and_its_thread_is_free() -> None:
    closed = threading.Event()

    class Rows:
        def __iter__(self) -> Any:
            return iter([b"x" * 65_536] * 40)

        def close(self) -> None:
            closed.set()

    def export(_environ: dict[str, Any], start: Callable[..., Any]) -> Rows:
        start("200 OK", [])
        return Rows()

    answer = answered(Scope(), app=export)
    assert closed.is_set()
    with answer.body as file:
        assert file.read() == b"x" * 65_536 * 40


@dataclass
class Files(Protocol):
    """What granian is asked to send, by the path of a file that it opens later."""

    path: str = ""

    def response_file(self, status: int, headers: list[tuple[str, str]], path: str) -> None:
        assert (status, headers) == (200, [("Content-Type", "text/plain")])
        self.path = path


def test_a_long_answer_is_sent_by_its_path_and_closed_once_granian_has_opened_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway, "FILE_OPEN_SECONDS", 0.1)
    long, files = b"x" * (gateway.SPOOL_BYTES + 1), Files()

    def app(_environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return [long]

    async def send() -> bytes:
        await Gateway(app).__rsgi__(Scope(), files)
        content = await asyncio.to_thread(Path(files.path).read_bytes)
        await asyncio.sleep(0.2)
        return content

    assert run_async(send()) == long
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(int(Path(files.path).name))


def test_a_flood_is_told_of_in_a_line_a_second() -> None:
    house = Gateway(echo)
    house.lanes["api"].shed = 500
    with capture_logs() as lines:
        house.log_shed_requests(dict.fromkeys(house.lanes, 0))
    assert lines == [{"event": "turned_away", "lane": "api", "requests": 500, "queued": 0, "log_level": "warning"}]
