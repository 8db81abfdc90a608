"""Load shedding: each kind of client has a lane, a thread pool with a bounded queue.

A flood in one lane leaves the threads of the others free. A request that would wait longer than is useful, judged by
the recent duration of requests, is refused at once; so is one that has waited that long before it was started, even
while every thread is stuck. Once every thread has been busy for a while, hardly any wait is useful: so under any load
the requests that are let in are answered soon, and the rest are refused at once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

#: The weight of the latest request in the moving average of durations.
LATEST_WEIGHT = 0.1
#: Longer durations count as this much in the average.
DURATION_SECONDS_MAX = 1.0
#: Every thread busy for longer than this is sustained load and no burst. A thread that is idle only because waiting
#: requests were just shed does not count.
BURST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How many requests run at once, how many wait, and how long: in a burst and under sustained load."""

    concurrency: int
    queue_size: int
    wait_seconds: float
    sustained_wait_seconds: float


@dataclass(slots=True, eq=False)
class Ticket:
    """A request's place in the queue, until it is started or leaves.

    It holds the work, and the executor's queue holds only the ticket: of a request that left, nothing stays in memory.
    """

    entered_at: float
    work: Callable[[], object] | None
    on_shed: Callable[[], object] | None

    @property
    def is_waiting(self) -> bool:
        return self.work is not None

    def clear(self) -> None:
        self.work = self.on_shed = None


@dataclass
class Lane:
    """The thread pool and queue of one kind of client. Its counters change only under its lock."""

    name: str
    limits: LaneLimits
    running: int = 0
    queued: int = 0
    shed: int = 0
    #: The moving average of durations.
    average_seconds: float = 0.0
    #: When a request was shed last, and when a thread was last idle with none shed for a while.
    shed_at: float = float("-inf")
    idle_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.threads = ThreadPoolExecutor(self.limits.concurrency, thread_name_prefix=self.name)

    def enter(self, work: Callable[[], object], on_shed: Callable[[], object]) -> Ticket | None:
        """Queue `work` for one of the lane's threads; `on_shed` is called instead when it has waited too long.

        None when the lane refuses it at once; then neither is called.
        """
        with self.lock:
            ahead = self.running + self.queued - self.limits.concurrency
            now = time.monotonic()
            if ahead < 0 and now - self.shed_at > BURST_SECONDS:
                self.idle_at = now
            if (
                ahead >= self.limits.queue_size
                or ahead * self.average_seconds / self.limits.concurrency > self.max_wait_seconds()
            ):
                self.shed, self.shed_at = self.shed + 1, now
                return None
            self.queued += 1
        ticket = Ticket(now, work, on_shed)
        try:
            self.threads.submit(self._run, ticket)
        except RuntimeError:  # the system has no thread left; another one of ours may have started it meanwhile
            return None if self._remove(ticket) else ticket
        return ticket

    def leave(self, ticket: Ticket, on_shed: Callable[[], object]) -> None:
        """Shed a request that has waited too long. Does nothing when it was started or shed before."""
        if self._remove(ticket):
            on_shed()

    def _remove(self, ticket: Ticket) -> bool:
        """Take a request out of the queue. Returns whether it was still waiting."""
        with self.lock:
            was_waiting = ticket.is_waiting
            ticket.clear()
            if was_waiting:
                self.queued -= 1
                self.shed, self.shed_at = self.shed + 1, time.monotonic()
        return was_waiting

    def _run(self, ticket: Ticket) -> None:
        with self.lock:
            work, on_shed = ticket.work, ticket.on_shed
            if work is None or on_shed is None:
                return
            ticket.clear()
            now = time.monotonic()
            self.queued -= 1
            is_late = now - ticket.entered_at > self.max_wait_seconds()
            if is_late:
                self.shed, self.shed_at = self.shed + 1, now
            self.running += not is_late
        if is_late:
            on_shed()
            return
        try:
            work()
        finally:
            with self.lock:
                self.running -= 1
                duration = min(time.monotonic() - now, DURATION_SECONDS_MAX)
                self.average_seconds += LATEST_WEIGHT * (duration - self.average_seconds)

    def max_wait_seconds(self) -> float:
        """How long a request may wait at present."""
        is_sustained = time.monotonic() - self.idle_at > BURST_SECONDS
        return self.limits.sustained_wait_seconds if is_sustained else self.limits.wait_seconds
