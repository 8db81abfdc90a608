"""The deduction sweep: claim, charge, settle, book and tell, beside one task for each obligation. `make bench`."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.db import connection

from benchmarks.asking import postgres
from benchmarks.book import Book
from benchmarks.crowd import Crowd, number_of
from benchmarks.naive_house import Naive, furnish
from benchmarks.weather import ROUNDS, Work, in_turn, measured, paces, sized
from billing import channels
from billing.channels import Charge, Taken
from billing.services.deduct import DUE
from kernel.clock import live_now
from kernel.models import LIVE
from tests.services import services as servers
from tests.simulation.uses import Use, make_uses

#: Orders a round, ours with an instant channel and with one that takes its time; and the baseline's.
MANY, SLOW_MANY = sized(20_000, 600), sized(8_000, 400)
THEIRS, THEIRS_SLOW = sized(600, 60), sized(120, 20)
PAUSE = 0.05
_OWED_MINOR = 500


class Instant:
    """A channel that takes all it is asked for, after so long, as one over HTTP would: many at one time."""

    name = "sandbox"
    finality, asks_min, at_once = timedelta(), 1, 200

    def __init__(self, pause: float) -> None:
        self.pause = pause

    def charge(self, charge: Charge) -> Taken:
        if self.pause:
            time.sleep(self.pause)
        return Taken(uuid4().hex, charge.amount)


@contextmanager
def channel(pause: float) -> Iterator[None]:
    instant: Any = Instant(pause)
    with mock.patch.dict(channels.CHANNELS, {instant.name: instant}):
        yield


@pytest.fixture(scope="module")
def naive() -> Naive:
    return furnish(max(THEIRS, THEIRS_SLOW))


class Sweeping:
    """So many obligations made due, then swept as the ring does it."""

    numbers = count(1)

    def __init__(self, crowd: Crowd, many: int, pause: float) -> None:
        self.crowd, self.many, self.pause = crowd, min(many, crowd.people), pause
        self.asked: list[float] = []

    def __call__(self) -> Work:
        self.owe()
        spent: list[float] = []

        def clocked(execute: Callable[..., Any], *how: Any) -> Any:
            began = time.perf_counter()
            try:
                return execute(*how)
            finally:
                spent.append(time.perf_counter() - began)

        with channel(self.pause), connection.execute_wrapper(clocked):
            work = measured(self.sweep, {"worker": 0, "database": postgres()})
        self.asked.append(sum(spent) / work.seconds)
        return work

    def owe(self) -> None:
        at = live_now().replace(microsecond=0)
        uses = [self._use(place, at) for place in range(self.many)]
        make_uses(self.crowd.pattern, uses)
        with servers.superuser() as superuser, superuser.cursor() as cursor:
            cursor.execute("ANALYZE")

    def _use(self, place: int, at: datetime) -> Use:
        number, person = next(self.numbers), number_of(place)
        opened, due = at - timedelta(hours=3), at - timedelta(seconds=1)
        return Use(number, person, person, opened, total_minor=_OWED_MINOR, completed_at=opened, due_at=due)

    def sweep(self) -> int:
        seen = 0
        while done := DUE.at_once(LIVE, live_now(), DUE.batch):
            seen += done
        if seen != self.many:
            raise RuntimeError(f"{self.many} were due, and {seen} were seen to.")
        return seen


def one_by_one(naive: Naive, many: int, pause: float) -> Work:
    told = json.loads(naive.run("benchmarks.baselines.sweep", str(many), str(pause)))
    return Work(told["units"], told["seconds"], {"worker": told["cpu"]})


def test_the_instant_channel(book: Book, crowd: Crowd, naive: Naive) -> None:
    sweep = Sweeping(crowd, MANY, 0)
    done = in_turn({"ours": sweep, "one task each": lambda: one_by_one(naive, THEIRS, 0)})
    pace = paces(done)
    book.ratio("4 sweep, instant channel", pace["ours"], pace["one task each"], "/s", pace)
    book.write("4 sweep, instant channel, SQL", sweep.asked[-ROUNDS:])
    for name, works in done.items():
        book.note(f"sweep, {name}: {works[-1]}")


def test_the_slow_channel(book: Book, crowd: Crowd, naive: Naive) -> None:
    sweep = Sweeping(crowd, SLOW_MANY, PAUSE)
    done = in_turn({"ours": sweep, "one task each": lambda: one_by_one(naive, THEIRS_SLOW, PAUSE)})
    pace = paces(done)
    book.ratio("4 sweep, 50 ms channel", pace["ours"], pace["one task each"], "/s", pace)
