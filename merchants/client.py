"""Everything that is under way to receivers, on one thread: what waits costs no more than its place."""

import asyncio
import atexit
import errno
import os
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import SimpleNamespace

import aiohttp
import structlog
import uvloop
from yarl import URL

from merchants import courier, lines
from merchants.courier import NotSentError, Parcel
from merchants.lines import CHUNK, Names, session_over
from merchants.rules.addresses import Target
from merchants.rules.webhooks import Outcome, excerpt

log = structlog.get_logger(__name__)
#: To so many hosts and no more lines are kept at one time: an open line is one of the files that a process may have.
DOORS_MOST = 48
_STOPS_WITHIN_SECONDS = 5.0
#: Scheme, host and port.
Door = tuple[str, str, int]
Told = Callable[[int, Outcome], None]


class HungUpError(Exception):
    """Over a line that was kept nobody answered any more: what was asked is asked once more, over another."""


class Client:
    """A loop in a thread of its own, and the lines that are open on it."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self.doors, self.underway = OrderedDict[Door, float](), set[asyncio.Task[None]]()
        self.names = Names()
        self.thread = threading.Thread(target=self._run, name="receivers", daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def _open(self) -> None:
        self.kept, self.once = session_over(self.names, keeps=True), session_over(self.names, keeps=False)

    def begin(self, parcels: Sequence[Parcel], real: Callable[[], datetime], told: Told) -> None:
        """Send them, each once; `told` hears of each as it ends, on the loop's thread."""
        self.loop.call_soon_threadsafe(self._begin, parcels, real, told)

    def _begin(self, parcels: Sequence[Parcel], real: Callable[[], datetime], told: Told) -> None:
        for place, parcel in enumerate(parcels):
            task = self.loop.create_task(self._end_to_end(place, parcel, real, told))
            self.underway.add(task)
            task.add_done_callback(self.underway.discard)

    async def _end_to_end(self, place: int, parcel: Parcel, real: Callable[[], datetime], told: Told) -> None:
        told(place, await self._post(parcel, real))

    async def _post(self, parcel: Parcel, real: Callable[[], datetime]) -> Outcome:
        began = time.monotonic()
        try:
            async with asyncio.timeout(courier.BUDGET_SECONDS):
                status, raw, retry_after = await self._exchange(parcel)
            return Outcome(status, _since(began), "", excerpt(raw), courier.asked_for(retry_after, real()))
        except NotSentError as why:
            return Outcome(None, _since(began), str(why))
        except (OSError, aiohttp.ClientError, ValueError) as broken:  # TimeoutError is an OSError
            return Outcome(None, _since(began), _kind_of(broken))
        except Exception:
            log.exception("webhook_not_sent", host=parcel.url.partition("://")[2].partition("/")[0])
            return Outcome(None, _since(began), "broken")

    async def _exchange(self, parcel: Parcel) -> tuple[int, bytes, str]:
        """Over a line that is open still or a new one; over a new one as well where somebody hung up just then."""
        target = courier.plain_target(parcel.url)
        if self._keeps((target.scheme, target.host, target.port)):
            with suppress(HungUpError):
                return await _ask(self.kept, target, parcel)
        return await _ask(self.once, target, parcel)

    def _keeps(self, door: Door) -> bool:
        """Whether lines to this door are kept: to those that are asked again and again, and no more of them."""
        now = time.monotonic()
        while self.doors and next(iter(self.doors.values())) < now - lines.KEPT_SECONDS - courier.BUDGET_SECONDS:
            self.doors.popitem(last=False)
        if door not in self.doors and len(self.doors) >= DOORS_MOST:
            return False
        self.doors[door] = now
        self.doors.move_to_end(door)
        return True

    def stop(self) -> None:
        """Every line is hung up, and the thread ends. What is under way is not heard of any more."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(_STOPS_WITHIN_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_STOPS_WITHIN_SECONDS)

    async def _close(self) -> None:
        for task in self.underway:
            task.cancel()
        await asyncio.gather(*self.underway, return_exceptions=True)
        await self.kept.close()
        await self.once.close()
        await self.names.close()


async def _ask(session: aiohttp.ClientSession, target: Target, parcel: Parcel) -> tuple[int, bytes, str]:
    """What comes back; the line is kept afterwards if all of it has, and closed if not.

    Raises:
        HungUpError: over a line that was used before no answer begins.
    """
    line, secure = SimpleNamespace(used_before=False), trust() if target.scheme == "https" else True
    try:
        answer = await session.post(
            _url(target),
            data=parcel.body,
            headers=parcel.headers,
            ssl=secure,
            allow_redirects=False,
            trace_request_ctx=line,
        )
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as end:
        if line.used_before and isinstance(getattr(end, "message", ""), str):  # no word of an answer
            raise HungUpError from end
        raise
    async with answer:
        raw = b""
        while len(raw) < courier.ANSWER_MAX and (more := await answer.content.read(CHUNK)):
            raw += more
        if not answer.content.at_eof():
            answer.close()
        return answer.status, raw, answer.headers.get("Retry-After", "")


@lru_cache(maxsize=4096)
def _url(target: Target) -> URL:
    """As it was written: nothing in it is read anew."""
    host, (path, _, query) = f"[{target.host}]" if ":" in target.host else target.host, target.path.partition("?")
    return URL.build(scheme=target.scheme, host=host, port=target.port, path=path, query_string=query, encoded=True)


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """The system's certificates; reading them takes longer than a handshake."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _kind_of(broken: Exception) -> str:
    if isinstance(broken, TimeoutError):
        return "timeout"
    if isinstance(broken, ssl.SSLError | aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return "tls"
    if isinstance(broken, OSError):
        return "refused" if broken.errno == errno.ECONNREFUSED else "unreachable"
    return "broken_answer"


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


@dataclass(slots=True)
class _Process:
    """The one client that a process has, from the first time that something is sent."""

    lock: threading.Lock
    client: Client | None = None

    def forget(self) -> None:
        """In a process that was just forked: loop, thread and lines are the other's, and left as they are."""
        self.lock = threading.Lock()
        _left.append(self.client)
        self.client = None


_left = list[Client | None]()
_process = _Process(threading.Lock())


def running() -> Client:
    with _process.lock:
        if _process.client is None:
            _process.client = Client()
        return _process.client


def stop() -> None:
    """Until something is sent again."""
    with _process.lock:
        client, _process.client = _process.client, None
        if client is not None:
            client.stop()


os.register_at_fork(after_in_child=_process.forget)
atexit.register(stop)
