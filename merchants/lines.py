"""Lines that stay open for a moment after an answer, so that the next parcel to the same door shakes no hands anew.

A line leads to the address that was looked at when it was opened, and to no other.
"""

import os
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field

from urllib3.connection import HTTPConnection

#: Receivers hang up on who says nothing for longer; the quickest that are in use after five.
KEPT_SECONDS = 4.0
#: Open at once and unused, altogether.
MOST = 200
#: Scheme, host and port.
Door = tuple[str, str, int]


@dataclass(slots=True)
class Lines:
    """What is open, and until when it is used again. One of them is in one hand at a time."""

    _open: dict[Door, list[tuple[float, HTTPConnection]]] = field(default_factory=lambda: defaultdict(list))
    _count: int = 0
    #: Before this moment none has to end, by the monotonic clock.
    _calm_until: float = float("inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, door: Door) -> HTTPConnection | None:
        """The line to this door that was used last, if one is open: nothing has come on it since, not even its end."""
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._open.get(door):
                    return None
                until, line = self._open[door].pop()
                self._count -= 1
            if now < until and line.is_connected:
                return line
            line.close()

    def keep(self, door: Door, line: HTTPConnection) -> bool:
        """Whether this line, on which an answer was read to its end, is kept; if not, whoever has it hangs up."""
        self.hang_up()
        if not line.is_connected:
            return False
        with self._lock:
            if self._count >= MOST:
                return False
            until = time.monotonic() + KEPT_SECONDS
            self._open[door].append((until, line))
            self._count, self._calm_until = self._count + 1, min(self._calm_until, until)
        return True

    def __len__(self) -> int:
        """How many are open and in nobody's hand."""
        return self._count

    def hang_up(self, at: float | None = None) -> None:
        """On all that are kept no longer, by the monotonic clock."""
        now = time.monotonic() if at is None else at
        with self._lock:
            if now < self._calm_until:
                return
            over = [line for lines in self._open.values() for until, line in lines if until <= now]
            kept = {door: [one for one in lines if one[0] > now] for door, lines in self._open.items()}
            self._open = defaultdict(list, {door: lines for door, lines in kept.items() if lines})
            self._count -= len(over)
            self._calm_until = min((until for lines in kept.values() for until, _ in lines), default=float("inf"))
        for line in over:
            line.close()

    def forget(self) -> None:
        """In a process that was just forked: the lines are the other's."""
        self._open, self._count, self._calm_until = defaultdict(list), 0, float("inf")
        self._lock = threading.Lock()


LINES = Lines()
os.register_at_fork(after_in_child=LINES.forget)
