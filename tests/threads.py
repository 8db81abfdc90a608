"""Real threads on real connections, let go at the same moment."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest import mock

from django.db import connection

from billing.channels import bank
from kernel.refusal import Refusal

T = TypeVar("T")
PATIENCE_SECONDS = 30.0
#: After so long somebody who has not come back is taken to wait for a lock.
WAITING_SECONDS = 0.5


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Each act in a thread of its own, begun together; the outcomes in order. A refusal is an outcome, a crash is not.

    Raises:
        Exception: whatever an act raised that is not a refusal.
    """
    ready = threading.Barrier(len(acts))
    outcomes: list[Any] = [None] * len(acts)

    def work(place: int, act: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            ready.wait(PATIENCE_SECONDS)
            outcomes[place] = act()
        except Exception as exc:  # noqa: BLE001  the main thread judges it
            outcomes[place] = exc
        finally:
            bank.hang_up()
            connection.close()

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, Refusal):
            raise outcome
    return outcomes


@contextmanager
def halted(owner: object, name: str) -> Iterator["Halt"]:
    """Whoever first calls this function stands still before it until let go; those after them pass."""
    halt, call = Halt(), getattr(owner, name)

    def passing(*args: Any, **kwargs: Any) -> Any:
        if not halt.reached.is_set():
            halt.reached.set()
            assert halt.open.wait(PATIENCE_SECONDS)
        return call(*args, **kwargs)

    with mock.patch.object(owner, name, passing):
        yield halt


@dataclass
class Halt:
    """A place in the code where somebody stands."""

    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def then(self, act: Callable[[], Any]) -> Any:
        """Once somebody stands there: do this, and let them go when it is done or waits for them."""
        assert self.reached.wait(PATIENCE_SECONDS)
        timer = threading.Timer(WAITING_SECONDS, self.open.set)
        timer.start()
        try:
            return act()
        finally:
            self.open.set()
            timer.cancel()


def refusals(outcomes: Sequence[Any]) -> list[str]:
    """The codes of the refusals among the outcomes."""
    return sorted(outcome.code for outcome in outcomes if isinstance(outcome, Refusal))


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """What comes of it, on a loop of its own: this thread's may be taken, by a browser that is kept open."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
