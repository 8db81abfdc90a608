"""How many requests are worked on at once, and how long others wait: each kind of caller in a lane of its own.

A lane has a few threads, so that a flood in one leaves the others theirs, and a queue with an end. Whoever would wait
in it for longer than is useful, by how long work took lately, is told so at once; and whoever has waited for longer,
before anything was begun, even while every thread is stuck. While every thread has been busy for a while hardly any
wait is useful: so under any load those who are let in are answered soon, and the rest at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

#: How much the latest work says of how long work takes.
LATEST = 0.1
#: One piece of work that took longer than this says nothing more about the others.
LONG_SECONDS = 1.0
#: When every thread was busy for so long it is no burst. A thread that is idle because those who waited were just
#: turned away does not count.
BURST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """So many worked on at once, so many waiting; how long in a burst, and how long when it goes on and on."""

    at_once: int
    waiting: int
    patience: float
    standing_patience: float


@dataclass(slots=True, eq=False)
class Place:
    """Somebody's place in the queue, which ends with its turn or by leaving."""

    came: float
    waits: bool = True


@dataclass
class Lane:
    """One kind of caller's way in. Its figures are moved under its lock alone."""

    name: str
    size: Size
    inside: int = 0
    queued: int = 0
    shed: int = 0
    #: Seconds that one piece of work took lately.
    pace: float = 0.0
    #: When somebody was turned away last, and when a thread had nothing to do though nobody had been for a while.
    shed_at: float = float("-inf")
    calm_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = ThreadPoolExecutor(self.size.at_once, thread_name_prefix=self.name)

    def enter(self, work: Callable[[], None], turned_away: Callable[[], None]) -> Place | None:
        """Have `work` done by one of the lane's threads, or `turned_away` when it has waited for too long.

        None, and neither, when the queue is at its end already.
        """
        with self.lock:
            ahead = self.inside + self.queued - self.size.at_once
            now = time.monotonic()
            if ahead < 0 and now - self.shed_at > BURST_SECONDS:
                self.calm_at = now
            if ahead >= self.size.waiting or ahead * self.pace / self.size.at_once > self.patience():
                self.shed, self.shed_at = self.shed + 1, now
                return None
            self.queued += 1
        place = Place(now)
        self.threads.submit(self._turn, work, turned_away, place)
        return place

    def leave(self, place: Place, turned_away: Callable[[], None]) -> None:
        """Give a place up, as nobody's turn has come for too long. Nothing happens when its turn has come."""
        with self.lock:
            left, place.waits = place.waits, False
            if left:
                self.queued -= 1
                self.shed, self.shed_at = self.shed + 1, time.monotonic()
        if left:
            turned_away()

    def _turn(self, work: Callable[[], None], turned_away: Callable[[], None], place: Place) -> None:
        with self.lock:
            if not place.waits:
                return
            now, place.waits = time.monotonic(), False
            self.queued -= 1
            late = now - place.came > self.patience()
            if late:
                self.shed, self.shed_at = self.shed + 1, now
            self.inside += not late
        if late:
            turned_away()
            return
        try:
            work()
        finally:
            with self.lock:
                self.inside -= 1
                self.pace += LATEST * (min(time.monotonic() - now, LONG_SECONDS) - self.pace)

    def patience(self) -> float:
        """How long a wait is useful, now."""
        standing = time.monotonic() - self.calm_at > BURST_SECONDS
        return self.size.standing_patience if standing else self.size.patience
