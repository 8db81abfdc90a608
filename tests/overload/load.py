"""An open-loop crowd of merchants' programs on one thread: each request leaves at its own moment, whoever waits."""

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
class Shot:
    """One request: when it left, how long until its answer, which one, and which order it asked for."""

    at: float
    seconds: float
    status: int
    number: str = ""
    retry_after: str = ""


@dataclass
class Lines:
    """Connections to the web, kept open and used again."""

    port: int
    idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=deque)

    async def ask(self, raw: bytes, number: str = "") -> Shot:
        began = time.monotonic()
        status, retry_after = await self._answer(raw)
        return Shot(began, time.monotonic() - began, status, number, retry_after)

    async def _answer(self, raw: bytes) -> tuple[int, str]:
        """As every client does: a kept line that the web has closed meanwhile is no answer, and is tried anew."""
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


async def in_turn(lines: Lines, order: Order, *, at_once: int, seconds: float) -> list[Shot]:
    """Closed loop: so many programs, each asking again once it was answered."""
    until, shots = time.monotonic() + seconds, list[Shot]()

    async def program() -> None:
        while time.monotonic() < until:
            shots.append(await lines.ask(*order()))

    await asyncio.gather(*(program() for _ in range(at_once)))
    return shots


async def evenly(ask: Callable[[], Coroutine[Any, Any, Shot]], *, rate: float, seconds: float) -> list[Shot]:
    """Open loop: so many a second leave, whether or not anybody was answered."""
    began, running, shots = time.monotonic(), set[asyncio.Task[Shot]](), list[Shot]()

    def done(task: asyncio.Task[Shot]) -> None:
        running.discard(task)
        shots.append(task.result())

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
    return shots


def quantile(shots: list[Shot], share: float) -> float:
    """Seconds within which this share of the answers came."""
    times = sorted(shot.seconds for shot in shots)
    return times[min(int(len(times) * share), len(times) - 1)] if times else 0.0
