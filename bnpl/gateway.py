"""The RSGI application that granian serves: reads each request within limits and passes it to Django in its lane.

Reading takes no thread: a slow or silent client costs a few bytes until it is timed out. A request that is refused
here has reached neither Django nor the database.
"""

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # re-exported

from bnpl.gateway_responses import GatewayResponse, UnreadableHeader, liveness_response, refusal_response
from bnpl.lanes import Lane, LaneLimits, Ticket
from kernel.problems import Internal
from kernel.refusal import LengthRequired, Malformed, Overloaded, Refusal, TooLarge, TooSlow
from kernel.wire import BODY_BYTES_MAX, TOO_LARGE_DETAIL

#: The time to receive a whole body; granian limits the time for the head.
BODY_TIMEOUT_SECONDS = 15.0
#: Pages have forms and no uploads, so twice the limit of the API is enough for every request.
REQUEST_BYTES_MAX = 2 * BODY_BYTES_MAX
QUERY_BYTES_MAX, HEADERS_BYTES_MAX = 8 * 1024, 32 * 1024
RETRY_AFTER_SECONDS = 1
#: All spellings: `charset=x`, `charset="x"`, `charset*=x''y`, `charset*0=x`.
_CHARSET = re.compile(r"charset[*\d\s]*=[\s\"']*([^\s;,\"']*)", re.IGNORECASE | re.ASCII)
#: A response longer than this is spooled to a file instead of memory while it is sent.
SPOOL_BYTES = 1 << 20
#: granian opens the file itself, at once; closed earlier, its number might by then be another file's.
FILE_OPEN_SECONDS = 60.0
LOG_INTERVAL_SECONDS = 1.0
#: Headers that clients set to anything, and on which no response depends.
_IGNORABLE_HEADERS = {"user-agent", "referer"}
log = structlog.get_logger(__name__)

#: The lane of a request, by a pattern of `METHOD path`: the first match wins. What takes seconds has a lane of its own:
#: advancing a sandbox's clock, calling a merchant's endpoint while its staff wait, and rendering PDF and CSV files.
LANES_BY_PATH = {
    r"\S+ (/v1/sandbox/|/merchant/[^/]+/sandbox/clock)": (
        "sandbox",
        LaneLimits(concurrency=2, queue_size=32, wait_seconds=5.0, sustained_wait_seconds=2.0),
    ),
    r"(POST|PATCH) (/v1/webhook_endpoints(/[^/]+(/ping)?)?$|/merchant/[^/]+/webhooks/(new|[^/]+/(change|ping))$)": (
        "outward",
        LaneLimits(concurrency=3, queue_size=32, wait_seconds=5.0, sustained_wait_seconds=2.0),
    ),
    r"\S+ /v1/": ("api", LaneLimits(concurrency=4, queue_size=64, wait_seconds=0.8, sustained_wait_seconds=0.1)),
    r"\S+ /channels/": (
        "channels",
        LaneLimits(concurrency=2, queue_size=64, wait_seconds=5.0, sustained_wait_seconds=1.0),
    ),
    r"\S+ /(readyz|metrics)$": (
        "probes",
        LaneLimits(concurrency=2, queue_size=256, wait_seconds=2.0, sustained_wait_seconds=1.0),
    ),
    r"\S+ /.*([./]pdf|\.csv)$": (
        "papers",
        LaneLimits(concurrency=2, queue_size=32, wait_seconds=8.0, sustained_wait_seconds=4.0),
    ),
    r"": ("pages", LaneLimits(concurrency=3, queue_size=64, wait_seconds=3.0, sustained_wait_seconds=0.5)),
}
#: Liveness is answered here, without a thread: no load on the lanes keeps a load balancer from its answer.
LIVENESS_PATH = "/healthz"
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Gateway:
    """An RSGI application around a WSGI application."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.lanes = {name: Lane(name, limits) for name, limits in LANES_BY_PATH.values()}
        self.routes = [(re.compile(pattern), self.lanes[name]) for pattern, (name, _) in LANES_BY_PATH.items()]
        self.loop: asyncio.AbstractEventLoop | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        loop.call_soon(self.log_shed_requests, dict.fromkeys(self.lanes, 0))

    def lane_of(self, method: str, path: str) -> Lane:
        return next(lane for pattern, lane in self.routes if pattern.match(f"{method} {path}"))

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        try:
            response = await self.respond(scope, protocol)
        except ProtocolClosed:  # the client disconnected within its body
            return
        if isinstance(response.body, bytes):
            protocol.response_bytes(response.status, response.headers, response.body)
            return
        # By its path, because granian keeps in memory what is sent to a stream and not yet received by the client.
        protocol.response_file(response.status, response.headers, f"/dev/fd/{response.body.fileno()}")
        asyncio.get_running_loop().call_later(FILE_OPEN_SECONDS, response.body.close)

    async def respond(self, scope: Any, protocol: Any) -> GatewayResponse:
        path = scope.path
        if path == LIVENESS_PATH:
            return liveness_response()
        try:
            environ = build_environ(scope)
            environ["wsgi.input"] = io.BytesIO(body := await read_body(scope, protocol))
            environ["CONTENT_LENGTH"] = str(len(body))
            return await self.dispatch(self.lane_of(scope.method, path), environ)
        except Refusal as refusal:
            return refusal_response(refusal, path, scope.headers.get("request-id"))

    async def dispatch(self, lane: Lane, environ: dict[str, Any]) -> GatewayResponse:
        """Django's response, from a thread of the lane.

        Raises:
            Overloaded: the lane's queue is full, or no thread was free in time.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[GatewayResponse | None] = loop.create_future()

        def resolve(response: GatewayResponse | None) -> None:
            if not future.done():  # the client may have disconnected
                future.set_result(response)

        def leave(ticket: Ticket) -> None:
            lane.leave(ticket, lambda: resolve(None))

        ticket = lane.enter(
            lambda: loop.call_soon_threadsafe(resolve, call_django(self.app, environ)),
            lambda: loop.call_soon_threadsafe(resolve, None),
        )
        if ticket:
            timeout = loop.call_later(lane.limits.wait_seconds, leave, ticket)
            try:
                response = await future
            finally:
                timeout.cancel()
        if not ticket or response is None:
            raise Overloaded(retry_after=RETRY_AFTER_SECONDS)
        return response

    def log_shed_requests(self, before: dict[str, int]) -> None:
        """Log how many requests were shed, once a second and not once each: a flood must not fill the disk."""
        now = {name: lane.shed for name, lane in self.lanes.items()}
        for name, lane in self.lanes.items():
            if now[name] > before[name]:
                log.warning("turned_away", lane=name, requests=now[name] - before[name], queued=lane.queued)
        if self.loop is not None:
            self.loop.call_later(LOG_INTERVAL_SECONDS, self.log_shed_requests, now)


async def read_body(scope: Any, protocol: Any) -> bytes:
    """The request's whole body.

    Raises:
        LengthRequired: its length is not declared. granian ends a chunked body that was cut off like a whole one.
        TooLarge, TooSlow: it exceeds the size or the time limit.
        ProtocolClosed: the client disconnected.
    """
    if scope.headers.get("transfer-encoding") is not None:
        raise LengthRequired
    length = scope.headers.get("content-length") or "0"
    is_number = length.isascii() and length.isdecimal() and len(length) <= len(str(REQUEST_BYTES_MAX))
    if not is_number or int(length) > REQUEST_BYTES_MAX:
        raise TooLarge(TOO_LARGE_DETAIL)
    if not int(length):
        return b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
            body: bytes = await protocol()
            return body
    except TimeoutError:
        raise TooSlow from None


def build_environ(scope: Any) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) of the request's head.

    A header with an underscore in its name is dropped: WSGI would not tell it from the one with a hyphen, which our
    proxy set. A header that cannot be decoded is refused and not skipped, unless nothing depends on it.

    Raises:
        Malformed, TooLarge: a header cannot be decoded, or the head exceeds its limits.
    """
    host, _, port = scope.server.rpartition(":")
    query = scope.query_string.encode().decode("latin-1")  # one character for each byte
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    items = scope.headers.items()
    headers_bytes = sum(len(name) + len(value) for name, value in items)
    if len(query) > QUERY_BYTES_MAX or headers_bytes > HEADERS_BYTES_MAX:
        raise TooLarge("The address or the headers are too long.")
    readable = {name for name, _ in items}
    for name in scope.headers.keys():  # noqa: SIM118  granian's headers are no dict
        if name not in readable and name not in _IGNORABLE_HEADERS:
            raise UnreadableHeader(name)
    for name, value in items:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = normalize_content_type(value) if key == "CONTENT_TYPE" else value
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
    environ.setdefault("HTTP_HOST", scope.authority or "")
    return environ


def normalize_content_type(content_type: str) -> str:
    """The media type without its parameters: every body is read as UTF-8.

    Django would decode with the declared charset, and some charsets take seconds for a few kilobytes.

    Raises:
        Malformed: another charset than UTF-8 is declared.
    """
    media_type, _, parameters = content_type.partition(";")
    if any(charset.lower() not in {"utf-8", "utf8"} for charset in _CHARSET.findall(parameters)):
        raise Malformed("Only UTF-8 is read.")
    return media_type.strip().lower()


def call_django(app: App, environ: dict[str, Any]) -> GatewayResponse:
    """Django's response, read completely, so that a client that receives slowly holds no thread or connection."""
    head: list[Any] = []
    try:
        result = app(environ, lambda status, headers, _exc=None: head.extend((status, headers)))
        try:
            body = spool(iter(result))
        finally:
            getattr(result, "close", lambda: None)()
    except Exception:
        log.exception("not_answered")
        return refusal_response(Internal(), environ["PATH_INFO"], environ.get("HTTP_REQUEST_ID"))
    return GatewayResponse(int(head[0].partition(" ")[0]), head[1], body)


def spool(chunks: Iterator[bytes]) -> Any:
    """The body as bytes, or as a temporary file when it is longer than `SPOOL_BYTES`."""
    read, size = [], 0
    for chunk in chunks:
        read.append(chunk)
        size += len(chunk)
        if size > SPOOL_BYTES:
            break
    else:
        return b"".join(read)
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed once it is sent
    file.writelines(read)
    file.writelines(chunks)
    file.seek(0)
    return file
