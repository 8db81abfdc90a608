"""One thread that cuts every line whose time is up.

A timeout of a socket begins anew with every byte; this one does not. A timer of its own for each line would do the
same, and costs more than sending: beside forty others a thread is hardly ever the next one to run.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Line:
    """A line that is watched: until when, by the monotonic clock, and what is told when it is cut."""

    until: float
    socket: socket.socket
    told: Callable[[], None]

    def cut(self) -> None:
        self.told()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


@dataclass(slots=True)
class Watchman:
    """Sleeps until the first of the lines has taken long enough; as long as nobody is on any, for good."""

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _lines: set[Line] = field(default_factory=set)
    _thread: threading.Thread | None = None
    _wakes_at: float = float("inf")

    @contextmanager
    def over(self, line: Line) -> Iterator[None]:
        """Inside, the line is cut at its time. Afterwards it never is: whoever closes its socket does so then."""
        with self._changed:
            self._lines.add(line)
            if self._thread is None or not self._thread.is_alive():  # a fork takes no threads along
                self._thread = threading.Thread(target=self._watch, name="watchman", daemon=True)
                self._thread.start()
            elif line.until < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._lines.discard(line)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for line in [line for line in self._lines if line.until <= now]:
                    self._lines.discard(line)
                    line.cut()
                self._wakes_at = min((line.until for line in self._lines), default=float("inf"))
                self._changed.wait(None if self._wakes_at == float("inf") else self._wakes_at - now)
