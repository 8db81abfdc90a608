"""Clients that send too much, too slowly or nothing, over real sockets, do not affect others."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bnpl.file_limits import raise_open_file_limit
from tests.api import PROBLEM, order_body
from tests.conftest import Shop, make_agreement, make_person
from tests.kills.clients import ApiConnection
from tests.kills.running_stack import RunningStack, print_result, run_stack

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

#: More than granian's default number of connections, at which nobody else could connect until some were closed.
SILENT = 1_200
#: `make evidence-overload` waits until they are closed.
WAITS = os.environ.get("OVERLOAD_WAITS") == "1"
CUT_SECONDS = 30.0
#: How long a request may take beside the silent clients; `make evidence-overload`, on an idle machine, is stricter.
SOON_SECONDS = float(os.environ.get("OVERLOAD_SOON", "10"))


@pytest.fixture
def stack(power_bank: Shop) -> Iterator[RunningStack]:
    with run_stack("web") as built:
        yield built


def send_raw(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[int, str, bytes]:
    """Send these bytes; returns status, content type and body of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=CUT_SECONDS) as line:
        try:
            for piece in pieces:
                line.sendall(piece)
                time.sleep(pause)
        except OSError:
            pass  # refused before it was sent to its end: the answer is there all the same
        raw = b""
        while b"\r\n\r\n" not in raw and (more := line.recv(65_536)):
            raw += more
        head, _, body = raw.partition(b"\r\n\r\n")
        fields = dict(text.lower().split(": ", 1) for text in head.decode("latin-1").split("\r\n")[1:])
        while len(body) < int(fields["content-length"]) and (more := line.recv(65_536)):
            body += more
        return int(head.split(b" ", 2)[1]), fields.get("content-type", ""), body


def request_head(secret: str, *more: str, path: str = "/v1/orders") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {secret}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *more]).encode() + b"\r\n\r\n"


def test_what_arrives_over_real_sockets_is_read_whole_or_refused_in_the_one_shape(
    power_bank: Shop, stack: RunningStack, subtests: pytest.Subtests
) -> None:
    secret = power_bank.secret
    body = json.dumps(order_body(make_agreement(power_bank, make_person(power_bank)).public_id)).encode()
    pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])] + [b"0\r\n\r\n"]
    chunked, huge = "Transfer-Encoding: chunked", b"x" * 10_000_000
    big = b"%x\r\n%s\r\n0\r\n\r\n" % (len(huge), huge)
    for name, status, sent in [
        ("in chunks", 411, [request_head(secret, chunked), *pieces]),
        ("in chunks, cut off", 411, [request_head(secret, chunked), pieces[0], b"ZZ\r\n"]),
        ("in pieces", 201, [request_head(secret, f"Content-Length: {len(body)}"), body[:7], body[7:]]),
        ("said to be 10 MB", 413, [request_head(secret, "Content-Length: 10000000"), huge]),
        ("10 MB in chunks", 411, [request_head(secret, chunked), big]),
        ("zipped", 400, [request_head(secret, "Content-Encoding: gzip", "Content-Length: 4"), b"\x1f\x8b\x08\x00"]),
        ("a long query", 413, [request_head(secret, "Content-Length: 2", path="/v1/orders?a=" + "x" * 9_000), b"{}"]),
        (
            "many headers",
            413,
            [request_head(secret, "Content-Length: 2", *[f"X-{n}: {'x' * 400}" for n in range(90)]), b"{}"],
        ),
        ("a key of other letters", 400, [request_head(secret, "Content-Length: 2", "Idempotency-Key: \xe9"), b"{}"]),
    ]:
        with subtests.test(name):
            got, kind, answer = send_raw(stack.port, *sent)
            assert got == status, answer
            assert kind == (PROBLEM if status >= 400 else "application/json")
    for name, sent in [
        ("a head without end", [b"GET / HTTP/1.1\r\nX: " + b"x" * 500_000]),
        ("two lengths", [request_head(secret, "Content-Length: 2", "Content-Length: 3"), b"{}"]),
    ]:
        with subtests.test(name):
            assert send_raw(stack.port, *sent)[0] in (400, 431)


def test_callers_who_fall_silent_keep_nobody_waiting(power_bank: Shop, stack: RunningStack) -> None:
    raise_open_file_limit(4 * SILENT)
    with ExitStack() as lines:
        silent = [lines.enter_context(socket.create_connection(("127.0.0.1", stack.port))) for _ in range(SILENT)]
        for number, line in enumerate(silent):
            line.sendall(
                request_head(power_bank.secret, "Content-Length: 100") + b"{" if number % 2 else b"GET / HTTP/1.1\r\n"
            )
        api, slowest = ApiConnection(stack.port, power_bank.secret), 0.0
        for _ in range(20):
            began = time.monotonic()
            api.request_ok("GET", "orders")
            slowest = max(slowest, time.monotonic() - began)
        api.close()
        assert slowest < SOON_SECONDS
        print_result(f"B5 beside {SILENT} silent callers the slowest of 20 reads took {slowest * 1000:.0f} ms")
        if WAITS:
            began = time.monotonic()
            for line in silent:
                line.settimeout(CUT_SECONDS)
                while line.recv(65_536):
                    pass
            print_result(f"B5 all of them were cut off within {time.monotonic() - began:.0f} s")
