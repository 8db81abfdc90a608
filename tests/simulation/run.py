"""Virtual time: from one moment at which anything is due to the next, with people, merchants and crashes between."""

import heapq
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from django.db import connection
from django.test import override_settings

from billing.channels import CHANNELS
from billing.models import Deduction
from billing.refusals import BadSignature
from billing.services import callbacks
from kernel.refusal import Refusal
from tests.simulation import papers
from tests.simulation.acts import Act, Cast, acts_of
from tests.simulation.alarms import alarms, due_moments
from tests.simulation.crashes import Crash, Doors
from tests.simulation.faults import FaultyChannel, Note
from tests.simulation.judge import Judge
from tests.simulation.outcome import Outcome, delays, ends
from tests.simulation.world import START, Size, World, make_world

MONTH = timedelta(days=30)
#: Of a thousand jobs and acts, how many die in the middle; and at most after how many doors.
DYING, DOORS_MAX = 50, (12, 60, 300)
#: When somebody whose request died tries again, and when a channel repeats a callback nobody acknowledged.
AGAIN = timedelta(seconds=40)


class Simulation:
    """One seed's world and everything that happens in it."""

    def __init__(self, size: Size) -> None:
        self.size, self.outcome = size, Outcome(size)
        self.rng, self.doors = random.Random(size.seed), Doors()  # noqa: S311  chance that can be repeated
        #: Whether the reader of a statement dies leaves everybody else's luck as it is.
        self.papers_rng = random.Random(f"statements of {size.seed}")  # noqa: S311  the same
        self.storms = _windows(size, self.rng, every_days=9, most=timedelta(hours=4))
        self.nobody_works = _windows(size, self.rng, every_days=15, most=timedelta(hours=10))
        self.channel = FaultyChannel(self.rng, self.doors.point, self.storms)
        self.channel.calm_from, self.channel.knock = size.calm_from, self._knock
        self.judge = Judge(self.channel)
        self.alarms = alarms()
        #: When each alarm rings next.
        self.moments: list[datetime | None] = []
        self.acts: list[Act] = []
        self.at = START

    def run(self, settle_in: Callable[[], None]) -> Outcome:
        """From the first day to the last. `settle_in` is called when everybody is there."""
        begun = time.perf_counter()
        connection.close()  # whatever was lived on it before: each life begins on a line that knows nothing
        with self._installed():
            world = make_world(self.size, self.rng)
            self.channel.closed = world.closing
            settle_in()
            self._live(world)
        self.outcome.faults, self.outcome.attempts = self.channel.counts, Deduction.objects.count()
        self.outcome.delays = delays(self.channel, self.at)
        self.outcome.log += ends()
        self.outcome.seconds = time.perf_counter() - begun
        return self.outcome

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """The channel in its place; every door of the database watched; texts to made-up people not even kept."""
        logging.disable(logging.CRITICAL)  # a channel that breaks is no news here
        try:
            with (
                self.doors.installed(),
                mock.patch.dict(CHANNELS, {self.channel.name: self.channel}),
                papers.installed(self.channel),
                override_settings(LOCAL_MESSAGES=False),
            ):
                yield
        finally:
            logging.disable(logging.NOTSET)

    def _live(self, world: World) -> None:
        cast = Cast(world.shops, lambda act: heapq.heappush(self.acts, act))
        self.acts = acts_of(world, self.size, self.rng)
        checks = [START + MONTH * n for n in range(1, self.size.days // MONTH.days + 1)]
        judged = START
        while (at := self._next_moment()) < self.size.end:
            while checks and checks[0] <= at:
                self._judge(checks.pop(0), since=judged)
                judged = self.at
            self.at = at
            self._ring()
            self._act(cast)
        self.at = self.size.end
        self._judge(self.size.end, since=judged)

    def _next_moment(self) -> datetime:
        """When anything happens next. Alarms wait while nobody works; people and channels do not."""
        dues = zip(self.alarms, due_moments(self.at), strict=True)
        self.moments = [alarm.moment(due) for alarm, due in dues]
        waits = [_after(self.nobody_works, moment) for moment in self.moments if moment is not None]
        others = [self.channel.next_note, self.acts[0].at if self.acts else None]
        return max(self.at, min([*waits, *(moment for moment in others if moment is not None)]))

    def _ring(self) -> None:
        if _after(self.nobody_works, self.at) == self.at:
            for alarm, moment in zip(self.alarms, self.moments, strict=True):
                if moment is not None and moment <= self.at:
                    luck = self.papers_rng if alarm.name == "statements" else self.rng
                    self._job(alarm.name, lambda alarm=alarm: str(alarm.ring(self.at)), luck)
        for note in self.channel.notes_due(self.at):
            self._deliver(note)

    def _act(self, cast: Cast) -> None:
        while self.acts and self.acts[0].at <= self.at:
            act = heapq.heappop(self.acts)
            self.outcome.acts += 1
            if not self._job(f"{act.kind} {act.about.name}", lambda act=act: cast.do(act)):
                heapq.heappush(self.acts, act.later(act.at + AGAIN))

    def _job(self, name: str, work: Callable[[], str], luck: random.Random | None = None) -> bool:
        """Whether it came to its end: some die in the middle. One that raises anything has broken."""
        rng = luck or self.rng
        dies = self.at < self.size.calm_from and rng.randrange(1000) < DYING
        self.doors.die_after(rng.randint(1, rng.choice(DOORS_MAX)) if dies else 0)
        try:
            self._tell(f"{name} {work()}")
        except Crash as crash:
            self.outcome.crashes += 1
            self._tell(f"{name} died {crash}")
            return False
        except Exception as broken:  # noqa: BLE001  it is judged, with the seed that did it
            self._wrong(f"{name} raised {type(broken).__name__}: {broken}")
        finally:
            self.doors.die_after(0)
        return True

    def _deliver(self, note: Note) -> None:
        """The channel calls back; now and then somebody else does in its name, and is not believed."""
        if self.rng.randrange(50) == 0:
            self._forge(note)
        if not self._job(f"callback c{note.ordinal}", lambda: self._received(note)):
            self.channel.again(note, self.at + AGAIN)

    def _received(self, note: Note) -> str:
        fresh = callbacks.receive(self.channel.name, note.raw, note.signature, real=self.at)
        return "fresh" if fresh else "known"

    def _forge(self, note: Note) -> None:
        try:
            callbacks.receive(self.channel.name, note.raw + b" ", note.signature, real=self.at)
            self._wrong(f"a forged callback about c{note.ordinal} was believed")
        except BadSignature:
            self._tell(f"forged c{note.ordinal}")

    def _knock(self, note: Note) -> None:
        """A callback that is quicker than the answer to the charge it is about."""
        try:
            self._tell(f"early c{note.ordinal} {self._received(note)}")
        except Crash:
            self.channel.again(note, self.at + AGAIN)
            raise
        except Refusal as refusal:
            self._wrong(f"an early callback was refused: {refusal.code}")

    def _judge(self, at: datetime, *, since: datetime) -> None:
        wrongs = self.judge.wrongs(self.at, since=since)
        for wrong in wrongs:
            self._wrong(wrong)
        self._tell(f"judged {at:%Y-%m-%d}: {len(wrongs)}")

    def _wrong(self, what: str) -> None:
        self.outcome.wrongs.append(f"{self.at:%Y-%m-%d %H:%M:%S} {what}")

    def _tell(self, what: str) -> None:
        self.outcome.log.append(f"{self.at:%m-%d %H:%M:%S} {what}")


def write_log(size: tuple[int, int, int], path: str) -> None:
    """One seed in a process of its own."""
    Path(path).write_text("\n".join(Simulation(Size(*size)).run(lambda: None).log), encoding="utf-8")


def _windows(size: Size, rng: random.Random, *, every_days: int, most: timedelta) -> list[tuple[datetime, datetime]]:
    """Spans of trouble, in order, about so often."""
    seconds = int((size.calm_from - START).total_seconds())
    begins = sorted(rng.randrange(seconds) for _ in range(1 + size.days // every_days))
    return [
        (begin, begin + timedelta(seconds=rng.randint(600, int(most.total_seconds()))))
        for begin in (START + timedelta(seconds=second) for second in begins)
    ]


def _after(windows: list[tuple[datetime, datetime]], moment: datetime) -> datetime:
    """The moment itself, or the end of the window it falls into."""
    for begin, end in windows:
        if begin <= moment < end:
            moment = end
    return moment
