"""An asyncio HTTP client on a thread of its own, for all webhook requests that a process has in flight."""

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

from merchants import connections, webhook_sender
from merchants.connections import CHUNK, CheckedResolver, open_session
from merchants.rules.webhook_urls import Target
from merchants.rules.webhooks import Outcome, excerpt
from merchants.webhook_sender import NotSentError, WebhookRequest

log = structlog.get_logger(__name__)
#: Connections are kept open to at most this many hosts, as each uses a file descriptor.
KEPT_HOSTS_MAX = 48
_STOP_TIMEOUT_SECONDS = 5.0
#: Scheme, host and port.
Origin = tuple[str, str, int]
OnDone = Callable[[int, Outcome], None]


class StaleConnectionError(Exception):
    """The receiver had closed a reused connection before it responded: the request is sent again over a new one."""


class WebhookClient:
    """An event loop in its own thread, with the connections that are open on it."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self.kept_origins, self.tasks = OrderedDict[Origin, float](), set[asyncio.Task[None]]()
        self.resolver = CheckedResolver()
        self.thread = threading.Thread(target=self._run, name="receivers", daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._open_sessions(), self.loop).result()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def _open_sessions(self) -> None:
        self.kept_session, self.single_use_session = (
            open_session(self.resolver, keep_alive=True),
            open_session(self.resolver, keep_alive=False),
        )

    def post_all(self, requests: Sequence[WebhookRequest], now: Callable[[], datetime], on_done: OnDone) -> None:
        """Send requests; `on_done` is called on the loop's thread with each one's index and outcome."""
        self.loop.call_soon_threadsafe(self._start, requests, now, on_done)

    def _start(self, requests: Sequence[WebhookRequest], now: Callable[[], datetime], on_done: OnDone) -> None:
        for index, request in enumerate(requests):
            task = self.loop.create_task(self._post_one(index, request, now, on_done))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _post_one(
        self, index: int, request: WebhookRequest, now: Callable[[], datetime], on_done: OnDone
    ) -> None:
        on_done(index, await self._post(request, now))

    async def _post(self, request: WebhookRequest, now: Callable[[], datetime]) -> Outcome:
        started = time.monotonic()
        try:
            async with asyncio.timeout(webhook_sender.TIMEOUT_SECONDS):
                status, raw, retry_after = await self._exchange(request)
            return Outcome(
                status, _elapsed_ms(started), "", excerpt(raw), webhook_sender.parse_retry_after(retry_after, now())
            )
        except NotSentError as error:
            return Outcome(None, _elapsed_ms(started), str(error))
        except (OSError, aiohttp.ClientError, ValueError) as error:  # TimeoutError is an OSError
            return Outcome(None, _elapsed_ms(started), _error_code(error))
        except Exception:
            log.exception("webhook_not_sent", host=request.url.partition("://")[2].partition("/")[0])
            return Outcome(None, _elapsed_ms(started), "broken")

    async def _exchange(self, request: WebhookRequest) -> tuple[int, bytes, str]:
        """Send over a kept connection if there may be one; if that was stale, or else, over a new one."""
        target = webhook_sender.parse_target(request.url)
        if self._keeps_connections((target.scheme, target.host, target.port)):
            with suppress(StaleConnectionError):
                return await _send(self.kept_session, target, request)
        return await _send(self.single_use_session, target, request)

    def _keeps_connections(self, origin: Origin) -> bool:
        """Whether connections to this origin are kept: to those in use lately, up to KEPT_HOSTS_MAX."""
        now = time.monotonic()
        while (
            self.kept_origins
            and next(iter(self.kept_origins.values()))
            < now - connections.KEEPALIVE_SECONDS - webhook_sender.TIMEOUT_SECONDS
        ):
            self.kept_origins.popitem(last=False)
        if origin not in self.kept_origins and len(self.kept_origins) >= KEPT_HOSTS_MAX:
            return False
        self.kept_origins[origin] = now
        self.kept_origins.move_to_end(origin)
        return True

    def stop(self) -> None:
        """Close all connections and end the thread. Requests in flight are cancelled without an outcome."""
        asyncio.run_coroutine_threadsafe(self._close_sessions(), self.loop).result(_STOP_TIMEOUT_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_STOP_TIMEOUT_SECONDS)

    async def _close_sessions(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.kept_session.close()
        await self.single_use_session.close()
        await self.resolver.close()


async def _send(session: aiohttp.ClientSession, target: Target, request: WebhookRequest) -> tuple[int, bytes, str]:
    """Send one request and read the response. The connection is reusable only if the response was read to its end.

    Raises:
        StaleConnectionError: a reused connection was closed before a response began.
    """
    connection, ssl_context = SimpleNamespace(used_before=False), tls_context() if target.scheme == "https" else True
    try:
        response = await session.post(
            _url(target),
            data=request.body,
            headers=request.headers,
            ssl=ssl_context,
            allow_redirects=False,
            trace_request_ctx=connection,
        )
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if connection.used_before and isinstance(getattr(error, "message", ""), str):  # no response began
            raise StaleConnectionError from error
        raise
    async with response:
        raw = b""
        while len(raw) < webhook_sender.RESPONSE_MAX_BYTES and (more := await response.content.read(CHUNK)):
            raw += more
        if not response.content.at_eof():
            response.close()
        return response.status, raw, response.headers.get("Retry-After", "")


@lru_cache(maxsize=4096)
def _url(target: Target) -> URL:
    """The URL exactly as it was written, without normalization."""
    host, (path, _, query) = f"[{target.host}]" if ":" in target.host else target.host, target.path.partition("?")
    return URL.build(scheme=target.scheme, host=host, port=target.port, path=path, query_string=query, encoded=True)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """The TLS context with the system's certificates, cached because loading them takes longer than a handshake."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _error_code(broken: Exception) -> str:
    if isinstance(broken, TimeoutError):
        return "timeout"
    if isinstance(broken, ssl.SSLError | aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return "tls"
    if isinstance(broken, OSError):
        return "refused" if broken.errno == errno.ECONNREFUSED else "unreachable"
    return "broken_answer"


def _elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


@dataclass(slots=True)
class _ClientSlot:
    """Holds the one client of a process, created when something is first sent."""

    lock: threading.Lock
    client: WebhookClient | None = None

    def reset_after_fork(self) -> None:
        """Forget the client in a forked process: its loop, thread and connections belong to the parent."""
        self.lock = threading.Lock()
        _abandoned.append(self.client)
        self.client = None


_abandoned = list[WebhookClient | None]()
_slot = _ClientSlot(threading.Lock())


def get_client() -> WebhookClient:
    with _slot.lock:
        if _slot.client is None:
            _slot.client = WebhookClient()
        return _slot.client


def stop_client() -> None:
    """Stop the client; the next request creates another."""
    with _slot.lock:
        client, _slot.client = _slot.client, None
        if client is not None:
            client.stop()


os.register_at_fork(after_in_child=_slot.reset_after_fork)
atexit.register(stop_client)
