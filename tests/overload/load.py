"""An open-loop load generator on one thread: requests are sent on schedule, without waiting for responses."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

LONGEST_SECONDS = 20.0
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class RequestResult:
    """One request: when it was sent, seconds until the response, its status, and the order number."""

    at: float
    seconds: float
    status: int
    number: str = ""
    retry_after: str = ""


@dataclass
class Connections:
    """A pool of keep-alive connections to the web server."""

    port: int
    idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)

    async def ask(self, raw: bytes, number: str = "") -> RequestResult:
        began = time.monotonic()
        status, retry_after = await self._answer(raw)
        return RequestResult(began, time.monotonic() - began, status, number, retry_after)

    async def _answer(self, raw: bytes) -> tuple[int, str]:
        """Retry on a new connection if a kept one was closed by the server in the meantime, as HTTP clients do."""
        while True:
            kept = bool(self.idle)
            try:
                async with asyncio.timeout(LONGEST_SECONDS):
                    return await self._ask(raw)
            except asyncio.IncompleteReadError as cut:
                if not kept or cut.partial:
                    return NO_ANSWER, ""
            except (OSError, TimeoutError):
                if not kept:
                    return NO_ANSWER, ""

    async def _ask(self, raw: bytes) -> tuple[int, str]:
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        whole = False
        try:
            writer.write(raw)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            told = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(told.get("content-length", "0")))
            whole = told.get("connection") != "close"
        finally:
            if whole:
                self.idle.append((reader, writer))
            else:
                writer.close()
        return int(head.split(" ", 2)[1]), told.get("retry-after", "")

    def close(self) -> None:
        while self.idle:
            self.idle.pop()[1].close()


def post(path: str, secret: str, body: dict[str, Any], key: str) -> bytes:
    raw = json.dumps(body).encode()
    head = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {secret}",
        f"Idempotency-Key: {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(raw)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + raw


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


Order = Callable[[], tuple[bytes, str]]


async def in_turn(lines: Connections, order: Order, *, at_once: int, seconds: float) -> list[RequestResult]:
    """Closed loop: `at_once` clients, each sending its next request after the response."""
    until, results = time.monotonic() + seconds, list[RequestResult]()

    async def program() -> None:
        while time.monotonic() < until:
            results.append(await lines.ask(*order()))

    await asyncio.gather(*(program() for _ in range(at_once)))
    return results


async def evenly(
    ask: Callable[[], Coroutine[Any, Any, RequestResult]], *, rate: float, seconds: float
) -> list[RequestResult]:
    """Open loop: `rate` requests a second, whether or not earlier ones were answered."""
    began, running, results = time.monotonic(), set[asyncio.Task[RequestResult]](), list[RequestResult]()

    def done(task: asyncio.Task[RequestResult]) -> None:
        running.discard(task)
        results.append(task.result())

    sent = 0
    while (now := time.monotonic()) < began + seconds:
        while sent < (now - began) * rate:
            task = asyncio.create_task(ask())
            running.add(task)
            task.add_done_callback(done)
            sent += 1
        await asyncio.sleep(min(1 / rate, 0.005))
    if running:
        await asyncio.wait(running)
    return results


def quantile(results: list[RequestResult], share: float) -> float:
    """Seconds within which this share of the responses arrived."""
    times = sorted(result.seconds for result in results)
    return times[min(int(len(times) * share), len(times) - 1)] if times else 0.0
