"""How many requests are worked on at once, and how long others wait: each kind of caller in a lane of its own.

A lane has a few threads, so that a flood in one leaves the others theirs, and a queue with an end. What does not fit
into the queue, or has waited in it for longer than is useful, is told to come back before anything was begun. While
the queue has been standing for a while only what has hardly waited is begun: so under any load those who are let in
are answered soon, and the rest at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

#: A queue that was not empty for so long is not a burst.
BURST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """So many worked on at once, so many waiting; how long in a burst, and how long when the queue stands."""

    at_once: int
    waiting: int
    patience: float
    standing_patience: float


@dataclass
class Lane:
    """One kind of caller's way in. Its figures are moved under its lock alone."""

    name: str
    size: Size
    inside: int = 0
    queued: int = 0
    shed: int = 0
    #: When nobody was waiting last.
    calm_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = ThreadPoolExecutor(self.size.at_once, thread_name_prefix=self.name)

    def enter(self, work: Callable[[], None], turned_away: Callable[[], None]) -> bool:
        """Have `work` done by one of the lane's threads, or `turned_away` when it has waited for too long.

        False, and neither, when the queue is at its end already.
        """
        with self.lock:
            if self.queued >= self.size.waiting:
                self.shed += 1
                return False
            if not self.queued:
                self.calm_at = time.monotonic()
            self.queued += 1
        self.threads.submit(self._turn, work, turned_away, time.monotonic())
        return True

    def _turn(self, work: Callable[[], None], turned_away: Callable[[], None], came: float) -> None:
        with self.lock:
            now = time.monotonic()
            self.queued -= 1
            standing = now - self.calm_at > BURST_SECONDS
            if not self.queued:
                self.calm_at = now
            late = now - came > (self.size.standing_patience if standing else self.size.patience)
            self.shed += late
        (turned_away if late else work)()
