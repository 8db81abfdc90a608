"""What granian calls: reads a request to its end, within limits, and lets it into its lane to Django.

Nothing here waits in a thread: a caller who sends slowly, or says nothing any more, costs a few bytes, and is cut off.
What is turned away here has reached neither Django nor the database.
"""

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import structlog
from django.template import loader

from bnpl.lanes import Lane, Place, Size
from kernel.ids import uuid7
from kernel.problems import Internal, problem_bytes
from kernel.refusal import Malformed, Overloaded, Refusal, TooLarge, TooSlow
from kernel.wire import MOST_BYTES, TOO_MANY

#: For the head of a request granian has a limit of its own; for the whole rest there is this long.
BODY_SECONDS = 15.0
#: Pages have forms, and no uploads: twice what any program may send is plenty.
MOST_READ = 2 * MOST_BYTES
MOST_QUERY, MOST_HEAD = 8 * 1024, 32 * 1024
RETRY_AFTER_SECONDS = 1
#: However it is spelled: `charset=x`, `charset="x"`, `charset*=x''y`, `charset*0=x`.
_CHARSET = re.compile(r"charset[*\d\s]*=[\s\"']*([^\s;,\"']*)", re.IGNORECASE | re.ASCII)
#: An answer longer than this waits in a file instead of in memory while it is sent.
HELD_BYTES = 1 << 20
TELL_EVERY_SECONDS = 1.0
log = structlog.get_logger(__name__)

#: Who goes where, by method and address: the first that fits. What takes seconds has a lane that nobody else waits in:
#: moving a sandbox's time, asking a merchant's own address while it waits, and drawing papers and long files.
SIZES = {
    r"\S+ (/v1/sandbox/|/merchant/[^/]+/sandbox/clock)": (
        "sandbox",
        Size(at_once=2, waiting=32, patience=5.0, standing_patience=2.0),
    ),
    r"(POST|PATCH) (/v1/webhook_endpoints(/[^/]+(/ping)?)?$|/merchant/[^/]+/webhooks/(new|[^/]+/(change|ping))$)": (
        "outward",
        Size(at_once=3, waiting=32, patience=5.0, standing_patience=2.0),
    ),
    r"\S+ /v1/": ("api", Size(at_once=4, waiting=64, patience=0.8, standing_patience=0.1)),
    r"\S+ /channels/": ("channels", Size(at_once=2, waiting=64, patience=5.0, standing_patience=1.0)),
    r"\S+ /(readyz|metrics)$": ("probes", Size(at_once=2, waiting=256, patience=2.0, standing_patience=1.0)),
    r"\S+ /.*([./]pdf|\.csv)$": ("papers", Size(at_once=2, waiting=32, patience=8.0, standing_patience=4.0)),
    r"": ("pages", Size(at_once=3, waiting=64, patience=3.0, standing_patience=0.5)),
}
#: Says that this process answers, and so needs no thread: no flood of anything keeps a balancer from hearing it.
ALIVE = "/healthz"
Headers = list[tuple[str, str]]
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: Any


class Front:
    """The application as granian's RSGI sees it, around the one WSGI sees."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.lanes = {name: Lane(name, size) for name, size in SIZES.values()}
        self.ways = [(re.compile(fits), self.lanes[name]) for fits, (name, _) in SIZES.items()]
        self.loop: asyncio.AbstractEventLoop | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        loop.call_soon(self.tell, dict.fromkeys(self.lanes, 0))

    def lane_of(self, method: str, path: str) -> Lane:
        return next(lane for fits, lane in self.ways if fits.match(f"{method} {path}"))

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        answer = await self.answer(scope, protocol)
        if isinstance(answer.body, bytes):
            protocol.response_bytes(answer.status, answer.headers, answer.body)
            return
        with answer.body as file:
            out = protocol.response_stream(answer.status, answer.headers)
            while piece := await asyncio.to_thread(file.read, HELD_BYTES):
                await out.send_bytes(piece)

    async def answer(self, scope: Any, protocol: Any) -> Answer:
        path = scope.path
        if path == ALIVE:
            return alive()
        try:
            environ = environ_of(scope)
            environ["wsgi.input"] = io.BytesIO(body := await read(scope, protocol))
            environ["CONTENT_LENGTH"] = str(len(body))
            return await self.through(self.lane_of(scope.method, path), environ)
        except Refusal as refusal:
            return turned_away(refusal, path)

    async def through(self, lane: Lane, environ: dict[str, Any]) -> Answer:
        """Django's answer, once a thread of the lane has worked it out.

        Raises:
            Overloaded: none will.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer | None] = loop.create_future()

        def settle(answer: Answer | None) -> None:
            if not done.done():  # whoever asked may have hung up
                done.set_result(answer)

        def leave(place: Place) -> None:
            lane.leave(place, lambda: settle(None))

        place = lane.enter(
            lambda: then(loop, settle, called(self.app, environ)),
            lambda: then(loop, settle, None),
        )
        if place:
            enough = loop.call_later(lane.size.patience, leave, place)
            try:
                answer = await done
            finally:
                enough.cancel()
        if not place or answer is None:
            raise Overloaded(retry_after=RETRY_AFTER_SECONDS)
        return answer

    def tell(self, before: dict[str, int]) -> None:
        """A line a second about what was turned away, instead of one each: a flood must not fill the disk."""
        now = {name: lane.shed for name, lane in self.lanes.items()}
        for name, lane in self.lanes.items():
            if now[name] > before[name]:
                log.warning("turned_away", lane=name, requests=now[name] - before[name], queued=lane.queued)
        if self.loop is not None:
            self.loop.call_later(TELL_EVERY_SECONDS, self.tell, now)


def then(loop: asyncio.AbstractEventLoop, settle: Callable[[Answer | None], None], answer: Answer | None) -> None:
    """A thread hands its answer to the loop the caller waits in."""
    loop.call_soon_threadsafe(settle, answer)


async def read(scope: Any, protocol: Any) -> bytes:
    """The body, as long as it is not too long and does not take too long.

    Raises:
        TooLarge, TooSlow: it is, or does.
    """
    length = scope.headers.get("content-length") or "0"
    if not (length.isascii() and length.isdecimal()) or len(length) > len(str(MOST_READ)) or int(length) > MOST_READ:
        raise TooLarge(TOO_MANY)
    chunked = scope.headers.get("transfer-encoding") is not None
    if not chunked and not int(length):
        return b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await (in_chunks(protocol) if chunked else protocol())
    except TimeoutError:
        raise TooSlow from None


async def in_chunks(protocol: Any) -> bytes:
    """A body whose length nobody has said, as far as any may go."""
    pieces, size = [], 0
    async for piece in protocol:
        pieces.append(piece)
        size += len(piece)
        if size > MOST_READ:
            raise TooLarge(TOO_MANY)
    return b"".join(pieces)


def environ_of(scope: Any) -> dict[str, Any]:
    """The request's head, as WSGI (PEP 3333) has it.

    A header whose name holds an underscore is dropped: it would be taken for the one with a hyphen, which a proxy of
    ours wrote. One that cannot be read is refused, not overlooked: it may have been the Idempotency-Key.

    Raises:
        Malformed, TooLarge: it cannot be read, or is longer than any needs to be.
    """
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
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
    if len(scope.query_string) > MOST_QUERY or sum(len(name) + len(value) for name, value in items) > MOST_HEAD:
        raise TooLarge("The address or the headers are too long.")
    if len(scope.headers.keys()) > len({name for name, _ in items}):
        raise Malformed("A header holds bytes that are not ASCII.")
    for name, value in items:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        held = media_type(value) if key == "CONTENT_TYPE" else value
        apart = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{apart}{held}" if key in environ else held
    environ.setdefault("HTTP_HOST", scope.authority or "")
    return environ


def media_type(said: str) -> str:
    """What kind of thing the body says it is, without what it says beside that: everything here is read as UTF-8.

    Django would decode by whatever charset is named, and some take seconds for a few kilobytes.

    Raises:
        Malformed: it says that it is written in something else.
    """
    kind, _, beside = said.partition(";")
    if any(charset.lower() not in {"utf-8", "utf8"} for charset in _CHARSET.findall(beside)):
        raise Malformed("Only UTF-8 is read.")
    return kind.strip().lower()


def called(app: App, environ: dict[str, Any]) -> Answer:
    """Django's answer, whole, so that whoever reads it slowly keeps no thread and no connection."""
    said: list[Any] = []
    try:
        answered = app(environ, lambda status, headers, _exc=None: said.extend((status, headers)))
        try:
            body = whole(iter(answered))
        finally:
            getattr(answered, "close", lambda: None)()
    except Exception:
        log.exception("not_answered")
        return turned_away(Internal(), environ["PATH_INFO"])
    return Answer(int(said[0].partition(" ")[0]), said[1], body)


def whole(pieces: Iterator[bytes]) -> Any:
    held, size = [], 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > HELD_BYTES:
            break
    else:
        return b"".join(held)
    file = tempfile.TemporaryFile()  # noqa: SIM115  whoever sends it closes it
    file.writelines(held)
    file.writelines(pieces)
    file.seek(0)
    return file


def alive() -> Answer:
    """What Django would say at this address (bnpl.health)."""
    return Answer(
        HTTPStatus.OK, [("Content-Type", "application/json"), ("Cache-Control", "no-store")], b'{"alive": true}'
    )


def turned_away(refusal: Refusal, path: str) -> Answer:
    """A refusal in the shape of whoever asked: a problem for programs, a page for people."""
    request_id = f"req_{uuid7().hex}"
    headers = [("Request-Id", request_id), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
    if refusal.retry_after is not None:
        headers.append(("Retry-After", str(refusal.retry_after)))
    if isinstance(refusal, TooSlow | TooLarge):
        headers.append(("Connection", "close"))
    if path.startswith(("/v1/", "/channels/")):
        kind, body = "application/problem+json", problem_bytes(refusal, request_id)
    else:
        name = "errors/503.html" if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "errors/400.html"
        kind, body = "text/html; charset=utf-8", loader.get_template(name).render().encode()
    return Answer(refusal.status, [("Content-Type", kind), *headers], body)
