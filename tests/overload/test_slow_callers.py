"""Callers who send too much, too slowly, or nothing any more, over real sockets: they cost nobody else anything."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bnpl.files import allow_files
from tests.api import PROBLEM, wish_for
from tests.conftest import Shop, opened, someone
from tests.kills.clients import Line
from tests.kills.house import House, house, tally

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]

#: More than granian would have open by itself, which let nobody else in until some of them were cut off.
SILENT = 1_200
#: `make evidence-overload` waits until they are cut off.
WAITS = os.environ.get("OVERLOAD_WAITS") == "1"
CUT_SECONDS = 30.0
#: What those who say nothing may cost the next; `make evidence-overload`, on an idle machine, is stricter.
SOON_SECONDS = float(os.environ.get("OVERLOAD_SOON", "10"))


@pytest.fixture
def home(power_bank: Shop) -> Iterator[House]:
    with house("web") as built:
        yield built


def said(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[int, str, bytes]:
    """The status, kind and body of the answer to these bytes."""
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


def head(secret: str, *more: str, path: str = "/v1/orders") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {secret}"]
    return "\r\n".join([*lines, "Content-Type: application/json", *more]).encode() + b"\r\n\r\n"


def test_what_arrives_over_real_sockets_is_read_whole_or_refused_in_the_one_shape(
    power_bank: Shop, home: House, subtests: pytest.Subtests
) -> None:
    secret = power_bank.secret
    body = json.dumps(wish_for(opened(power_bank, someone(power_bank)).public_id)).encode()
    pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])] + [b"0\r\n\r\n"]
    chunked, huge = "Transfer-Encoding: chunked", b"x" * 10_000_000
    big = b"%x\r\n%s\r\n0\r\n\r\n" % (len(huge), huge)
    for name, status, sent in [
        ("in chunks", 201, [head(secret, chunked), *pieces]),
        ("said to be 10 MB", 413, [head(secret, "Content-Length: 10000000"), huge]),
        ("10 MB in chunks", 413, [head(secret, chunked), big]),
        ("zipped", 400, [head(secret, "Content-Encoding: gzip", "Content-Length: 4"), b"\x1f\x8b\x08\x00"]),
        ("a long query", 413, [head(secret, "Content-Length: 2", path="/v1/orders?a=" + "x" * 9_000), b"{}"]),
        ("many headers", 413, [head(secret, "Content-Length: 2", *[f"X-{n}: {'x' * 400}" for n in range(90)]), b"{}"]),
        ("a key of other letters", 400, [head(secret, "Content-Length: 2", "Idempotency-Key: \xe9"), b"{}"]),
    ]:
        with subtests.test(name):
            got, kind, answer = said(home.port, *sent)
            assert got == status, answer
            assert kind == (PROBLEM if status >= 400 else "application/json")
    for name, sent in [
        ("a head without end", [b"GET / HTTP/1.1\r\nX: " + b"x" * 500_000]),
        ("two lengths", [head(secret, "Content-Length: 2", "Content-Length: 3"), b"{}"]),
    ]:
        with subtests.test(name):
            assert said(home.port, *sent)[0] in (400, 431)


def test_callers_who_fall_silent_keep_nobody_waiting(power_bank: Shop, home: House) -> None:
    allow_files(4 * SILENT)
    with ExitStack() as lines:
        silent = [lines.enter_context(socket.create_connection(("127.0.0.1", home.port))) for _ in range(SILENT)]
        for number, line in enumerate(silent):
            line.sendall(head(power_bank.secret, "Content-Length: 100") + b"{" if number % 2 else b"GET / HTTP/1.1\r\n")
        api, slowest = Line(home.port, power_bank.secret), 0.0
        for _ in range(20):
            began = time.monotonic()
            api.must("GET", "orders")
            slowest = max(slowest, time.monotonic() - began)
        api.close()
        assert slowest < SOON_SECONDS
        tally(f"B5 beside {SILENT} silent callers the slowest of 20 reads took {slowest * 1000:.0f} ms")
        if WAITS:
            began = time.monotonic()
            for line in silent:
                line.settimeout(CUT_SECONDS)
                while line.recv(65_536):
                    pass
            tally(f"B5 all of them were cut off within {time.monotonic() - began:.0f} s")
