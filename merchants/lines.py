"""Lines to receivers that stay open for four seconds after an answer that was read to its end.

A line leads to the address that was looked at when it was opened, and to no other.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from merchants import courier, resolver
from merchants.courier import NotSentError

#: Receivers hang up on who says nothing for longer; the quickest that are in use after five.
KEPT_SECONDS = 4.0
CHUNK = 8 * 1024
#: What aiohttp would say of itself; what comes back is kept as it came.
_UNSAID, _SAID = ("Accept", "User-Agent"), {"Accept-Encoding": "identity"}


async def _used_before(_session: aiohttp.ClientSession, context: Any, _params: Any) -> None:
    context.trace_request_ctx.used_before = True


class _Lines(aiohttp.TCPConnector):
    """Lines that are used again, unless something came on them since that nobody had asked for: it would be taken for
    the next answer.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.used = WeakSet[Any]()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Connection:  # noqa: ASYNC109  aiohttp's own
        while True:
            connection = await super().connect(req, traces, timeout)
            line = connection.protocol
            if line is None or not (line in self.used and line.should_close):
                if line is not None:
                    self.used.add(line)
                return connection
            connection.close()


class Names(AbstractResolver):
    """Names are asked for in threads, so many at once; what may not be connected to is no answer."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(resolver.MOST, thread_name_prefix="names")

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:  # noqa: ARG002  its name
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.threads, courier.addresses_of, host, port)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=_family_of(one), proto=0, flags=0) for one in found
        ]

    async def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)


def session_over(names: Names, *, keeps: bool) -> aiohttp.ClientSession:
    how: dict[str, Any] = {"keepalive_timeout": KEPT_SECONDS} if keeps else {"force_close": True}
    connector = _Lines(limit=0, use_dns_cache=False, resolver=names, socket_factory=_socket_to, **how)
    traces = aiohttp.TraceConfig()
    traces.on_connection_reuseconn.append(_used_before)
    return aiohttp.ClientSession(
        connector=connector,
        headers=_SAID,
        skip_auto_headers=_UNSAID,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=CHUNK,
        trace_configs=[traces],
    )


def _family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _socket_to(way: tuple[Any, ...]) -> socket.socket:
    """A socket for this very address; an address written in the URL itself was asked of nobody before.

    Raises:
        NotSentError: it is not one that may be connected to.
    """
    family, kind, protocol, _name, (address, *_port) = way
    if not courier.policy().lets(address):
        raise NotSentError("forbidden_address")
    return socket.socket(family, kind, protocol)
