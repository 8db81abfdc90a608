"""Programs that ask a web and, once they are answered, ask again; and what that cost whom.

They do as little as they can, for they run on the same cores: what they burnt would be taken for the web's slowness.
"""

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop

from benchmarks.weather import SECONDS, Work, measured
from tests.overload.load import NO_ANSWER, Shot
from tests.services import services as servers

#: As many as the webs of both have hands, so that nobody waits in front of a lane.
AT_ONCE = 8
_GOOD = (200, 201)
#: So often it is tried to have a warm web.
_TRIES, _WARM = 12, 3
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


def postgres() -> int:
    """The pid of the database server that both sides use."""
    return next(
        child.process.pid
        for child in servers.children
        if child.program.name == "postgres" and child.process is not None
    )


class Program(asyncio.Protocol):
    """One line, kept open, on which the next is asked as soon as the last was answered."""

    def __init__(self, order: Callable[[], bytes], until: float, shots: list[Shot]) -> None:
        self.order, self.until, self.shots = order, until, shots
        self.ended = asyncio.get_running_loop().create_future()
        self.raw, self.began = b"", 0.0
        self.line: Any = None

    def connection_made(self, transport: Any) -> None:
        self.line = transport
        self._ask()

    def _ask(self) -> None:
        try:
            asked = self.order()
        except Exception as broken:  # noqa: BLE001  whoever waits for the end hears of it
            self.ended.set_exception(broken)
            self.line.close()
            return
        self.raw, self.began = b"", time.monotonic()
        self.line.write(asked)

    def data_received(self, data: bytes) -> None:
        self.raw += data
        head = self.raw.find(_END)
        length = _LENGTH.search(self.raw, 0, head) if head >= 0 else None
        if length is None or len(self.raw) < head + len(_END) + int(length[1]):
            return
        now = time.monotonic()
        self.shots.append(Shot(self.began, now - self.began, int(self.raw[9:12])))
        if now < self.until:
            self._ask()
        else:
            self.ended.set_result(None)
            self.line.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.shots.append(Shot(self.began, time.monotonic() - self.began, NO_ANSWER))
            self.ended.set_result(None)


class Asking:
    """So many programs at once, round after round. Those of good answers are kept in `shots`."""

    def __init__(self, name: str, port: int, web: int, order: Callable[[], bytes]) -> None:
        self.name, self.port, self.order = name, port, order
        self.programs = {"web": web, "database": postgres()}
        self.shots: list[Shot] = []

    def __call__(self) -> Work:
        return measured(self.go, self.programs)

    def warm_up(self) -> None:
        """Nobody is judged by first answers: a process reads its code from the disk, a connection prepares."""
        good = 0
        for _ in range(_TRIES):
            good += all(shot.status in _GOOD for shot in self._asked())
            if good == _WARM:
                return

    def go(self) -> int:
        shots = self._asked()
        good = [shot for shot in shots if shot.status in _GOOD]
        if len(good) < 0.95 * len(shots):
            other = next(shot for shot in shots if shot.status not in _GOOD)
            raise RuntimeError(f"{self.name}: {len(good)} of {len(shots)} were answered well; one was not: {other}")
        self.shots += good
        return len(good)

    def _asked(self) -> list[Shot]:
        with ThreadPoolExecutor(1) as thread:  # Django would not be called where a loop runs
            return thread.submit(lambda: uvloop.run(self._programs())).result()

    async def _programs(self) -> list[Shot]:
        loop, until, shots = asyncio.get_running_loop(), time.monotonic() + SECONDS, list[Shot]()
        dialled = [
            await loop.create_connection(lambda: Program(self.order, until, shots), "127.0.0.1", self.port)
            for _ in range(AT_ONCE)
        ]
        await asyncio.gather(*(program.ended for _line, program in dialled))
        return shots
