"""Connections to webhook receivers: kept alive for four seconds, and opened only to IP addresses that were checked."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from merchants import resolver, webhook_sender
from merchants.webhook_sender import NotSentError

#: Receivers close idle connections, the quickest of the common servers after five seconds.
KEEPALIVE_SECONDS = 4.0
CHUNK = 8 * 1024
#: Headers that aiohttp would add by itself; and no compression, so that responses are stored as they came.
_SKIPPED_HEADERS, _HEADERS = ("Accept", "User-Agent"), {"Accept-Encoding": "identity"}


async def _mark_reused(_session: aiohttp.ClientSession, context: Any, _params: Any) -> None:
    context.trace_request_ctx.used_before = True


class _ReceiverConnector(aiohttp.TCPConnector):
    """Reuses connections, except those on which unsolicited data arrived: it would be read as the next response."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.used = WeakSet[Any]()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109  aiohttp's own
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or not (protocol in self.used and protocol.should_close):
                if protocol is not None:
                    self.used.add(protocol)
                return connection
            connection.close()


class CheckedResolver(AbstractResolver):
    """Resolves host names in a thread pool; fails for those with an address that is not permitted."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(resolver.LOOKUPS_MAX, thread_name_prefix="names")

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:  # noqa: ARG002  its name
        loop = asyncio.get_running_loop()
        addresses = await loop.run_in_executor(self.threads, webhook_sender.resolve_host, host, port)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=_address_family(one), proto=0, flags=0)
            for one in addresses
        ]

    async def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)


def open_session(resolver_: CheckedResolver, *, keep_alive: bool) -> aiohttp.ClientSession:
    options: dict[str, Any] = {"keepalive_timeout": KEEPALIVE_SECONDS} if keep_alive else {"force_close": True}
    connector = _ReceiverConnector(
        limit=0, use_dns_cache=False, resolver=resolver_, socket_factory=_checked_socket, **options
    )
    traces = aiohttp.TraceConfig()
    traces.on_connection_reuseconn.append(_mark_reused)
    return aiohttp.ClientSession(
        connector=connector,
        headers=_HEADERS,
        skip_auto_headers=_SKIPPED_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=CHUNK,
        trace_configs=[traces],
    )


def _address_family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _checked_socket(addr_info: tuple[Any, ...]) -> socket.socket:
    """A socket for this IP address. It is checked here too, as an address in the URL itself was never resolved.

    Raises:
        NotSentError: connections to it are not permitted.
    """
    family, kind, protocol, _name, (address, *_port) = addr_info
    if not webhook_sender.address_policy().allows(address):
        raise NotSentError("forbidden_address")
    return socket.socket(family, kind, protocol)
