"""Runs code in real threads with their own connections, started at the same moment or paused at a function."""

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
#: A thread that has not returned after this long is considered to wait for a lock.
WAITING_SECONDS = 0.5


def run_concurrently(*acts: Callable[[], Any]) -> list[Any]:
    """Run each function in a thread of its own, started together. Returns the results in order, refusals included.

    Raises:
        Exception: any other exception of a function.
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
            bank.close_connection()
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
def pause_before(owner: object, name: str) -> Iterator["PausePoint"]:
    """The first call of this function is paused until it is released; later calls pass."""
    halt, call = PausePoint(), getattr(owner, name)

    def passing(*args: Any, **kwargs: Any) -> Any:
        if not halt.reached.is_set():
            halt.reached.set()
            assert halt.open.wait(PATIENCE_SECONDS)
        return call(*args, **kwargs)

    with mock.patch.object(owner, name, passing):
        yield halt


@dataclass
class PausePoint:
    """A function whose first call is paused."""

    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def run_while_paused(self, act: Callable[[], Any]) -> Any:
        """Once the call is paused, run `act`; release the call when `act` is done or seems to wait for a lock."""
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


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop of its own: a browser that is kept open may run one in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
