"""Closed-loop load: clients that send the next request once the last was answered, and the CPU each program used.

The clients do as little as possible: they run on the same cores, so their CPU time would slow the web down.
"""

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop

from benchmarks.measurement import SECONDS, Measurement, measure
from tests.overload.load import NO_ANSWER, RequestResult
from tests.services import services as servers

#: As many clients as each side has worker threads, so that no request waits for a lane.
CONCURRENCY = 8
_GOOD = (200, 201)
#: Warm-up rounds at most, and how many of them must succeed.
_TRIES, _WARM = 12, 3
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


def postgres_pid() -> int:
    """The pid of the database server that both sides use."""
    return next(
        child.process.pid
        for child in servers.children
        if child.program.name == "postgres" and child.process is not None
    )


class ClientConnection(asyncio.Protocol):
    """A keep-alive connection that sends the next request as soon as the last was answered."""

    def __init__(self, build_request: Callable[[], bytes], until: float, shots: list[RequestResult]) -> None:
        self.build_request, self.until, self.shots = build_request, until, shots
        self.done = asyncio.get_running_loop().create_future()
        self.raw, self.started = b"", 0.0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        try:
            request = self.build_request()
        except Exception as error:  # noqa: BLE001  raised where `done` is awaited
            self.done.set_exception(error)
            self.transport.close()
            return
        self.raw, self.started = b"", time.monotonic()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        head = self.raw.find(_END)
        length = _LENGTH.search(self.raw, 0, head) if head >= 0 else None
        if length is None or len(self.raw) < head + len(_END) + int(length[1]):
            return
        now = time.monotonic()
        self.shots.append(RequestResult(self.started, now - self.started, int(self.raw[9:12])))
        if now < self.until:
            self._send()
        else:
            self.done.set_result(None)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.shots.append(RequestResult(self.started, time.monotonic() - self.started, NO_ANSWER))
            self.done.set_result(None)


class LoadRun:
    """One side of a comparison: rounds of concurrent clients. Successful requests are kept in `shots`."""

    def __init__(self, name: str, port: int, web: int, build_request: Callable[[], bytes]) -> None:
        self.name, self.port, self.build_request = name, port, build_request
        self.pids = {"web": web, "database": postgres_pid()}
        self.shots: list[RequestResult] = []

    def __call__(self) -> Measurement:
        return measure(self.run, self.pids)

    def warm_up(self) -> None:
        """First responses are slower, as processes load code and connections prepare statements; they do not count."""
        good = 0
        for _ in range(_TRIES):
            good += all(shot.status in _GOOD for shot in self._send_requests())
            if good == _WARM:
                return

    def run(self) -> int:
        shots = self._send_requests()
        good = [shot for shot in shots if shot.status in _GOOD]
        if len(good) < 0.95 * len(shots):
            other = next(shot for shot in shots if shot.status not in _GOOD)
            raise RuntimeError(f"{self.name}: {len(good)} of {len(shots)} were answered well; one was not: {other}")
        self.shots += good
        return len(good)

    def _send_requests(self) -> list[RequestResult]:
        with ThreadPoolExecutor(1) as thread:  # Django refuses ORM calls in a thread with a running event loop
            return thread.submit(lambda: uvloop.run(self._run_connections())).result()

    async def _run_connections(self) -> list[RequestResult]:
        loop, until, shots = asyncio.get_running_loop(), time.monotonic() + SECONDS, list[RequestResult]()
        connections = [
            await loop.create_connection(
                lambda: ClientConnection(self.build_request, until, shots), "127.0.0.1", self.port
            )
            for _ in range(CONCURRENCY)
        ]
        await asyncio.gather(*(program.done for _line, program in connections))
        return shots
