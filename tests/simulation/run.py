"""The simulation loop in virtual time: from one due moment to the next, with user actions and crashes in between."""

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
from tests.simulation import channel_statements
from tests.simulation.actions import Action, Performer, plan_actions
from tests.simulation.checker import Checker
from tests.simulation.crash_points import Crash, CrashPoints
from tests.simulation.faults import FaultyChannel, PendingCallback
from tests.simulation.outcome import Outcome, delays, final_state
from tests.simulation.scheduled_jobs import due_times, scheduled_jobs
from tests.simulation.world import START, Size, World, make_world

MONTH = timedelta(days=30)
#: How many of a thousand jobs and actions crash in the middle, and after at most how many crash points.
CRASH_PERMILLE, CRASH_AFTER_MAX = 50, (12, 60, 300)
#: When a crashed request is retried, and when a channel repeats an unacknowledged callback.
RETRY_AFTER = timedelta(seconds=40)


class Simulation:
    """One seed's simulation."""

    def __init__(self, size: Size) -> None:
        self.size, self.outcome = size, Outcome(size)
        self.rng, self.crash_points = random.Random(size.seed), CrashPoints()  # noqa: S311  chance that can be repeated
        #: A generator of its own, so that crashes of statement jobs do not change the other random choices.
        self.statements_rng = random.Random(f"statements of {size.seed}")  # noqa: S311  the same
        self.channel_outages = _windows(size, self.rng, every_days=9, most=timedelta(hours=4))
        self.worker_outages = _windows(size, self.rng, every_days=15, most=timedelta(hours=10))
        self.channel = FaultyChannel(self.rng, self.crash_points.reach, self.channel_outages)
        self.channel.calm_from, self.channel.deliver_callback = size.calm_from, self._knock
        self.checker = Checker(self.channel)
        self.jobs = scheduled_jobs()
        #: When each job runs next.
        self.next_runs: list[datetime | None] = []
        self.actions: list[Action] = []
        self.at = START

    def run(self, settle_in: Callable[[], None]) -> Outcome:
        """Run from the first day to the last. `settle_in` is called once the world is created."""
        begun = time.perf_counter()
        connection.close()  # each run starts on a fresh connection
        with self._installed():
            world = make_world(self.size, self.rng)
            self.channel.closed_accounts = world.closing
            settle_in()
            self._play(world)
        self.outcome.faults, self.outcome.attempts = self.channel.counts, Deduction.objects.count()
        self.outcome.delays = delays(self.channel, self.at)
        self.outcome.log += final_state()
        self.outcome.seconds = time.perf_counter() - begun
        return self.outcome

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """Install the faulty channel and the crash points; text messages to generated people are not stored."""
        logging.disable(logging.CRITICAL)  # channel failures are expected here
        try:
            with (
                self.crash_points.installed(),
                mock.patch.dict(CHANNELS, {self.channel.name: self.channel}),
                channel_statements.patch_statement_fetching(self.channel),
                override_settings(LOCAL_MESSAGES=False),
            ):
                yield
        finally:
            logging.disable(logging.NOTSET)

    def _play(self, world: World) -> None:
        performer = Performer(world.shops, lambda action: heapq.heappush(self.actions, action))
        self.actions = plan_actions(world, self.size, self.rng)
        checks = [START + MONTH * n for n in range(1, self.size.days // MONTH.days + 1)]
        judged = START
        while (at := self._next_moment()) < self.size.end:
            while checks and checks[0] <= at:
                self._check(checks.pop(0), since=judged)
                judged = self.at
            self.at = at
            self._run_jobs()
            self._perform_actions(performer)
        self.at = self.size.end
        self._check(self.size.end, since=judged)

    def _next_moment(self) -> datetime:
        """When anything happens next. Jobs wait during worker outages; people and channels do not."""
        dues = zip(self.jobs, due_times(self.at), strict=True)
        self.next_runs = [job.next_run(due) for job, due in dues]
        waits = [_after(self.worker_outages, moment) for moment in self.next_runs if moment is not None]
        others = [self.channel.next_callback_at, self.actions[0].at if self.actions else None]
        return max(self.at, min([*waits, *(moment for moment in others if moment is not None)]))

    def _run_jobs(self) -> None:
        if _after(self.worker_outages, self.at) == self.at:
            for job, moment in zip(self.jobs, self.next_runs, strict=True):
                if moment is not None and moment <= self.at:
                    luck = self.statements_rng if job.name == "statements" else self.rng
                    self._job(job.name, lambda job=job: str(job.run(self.at)), luck)
        for callback in self.channel.callbacks_due(self.at):
            self._deliver(callback)

    def _perform_actions(self, performer: Performer) -> None:
        while self.actions and self.actions[0].at <= self.at:
            action = heapq.heappop(self.actions)
            self.outcome.actions += 1
            if not self._job(f"{action.kind} {action.order.name}", lambda action=action: performer.perform(action)):
                heapq.heappush(self.actions, action.later(action.at + RETRY_AFTER))

    def _job(self, name: str, work: Callable[[], str], luck: random.Random | None = None) -> bool:
        """Run a job, possibly crashing it; False if it crashed. Any other exception is a violation."""
        rng = luck or self.rng
        dies = self.at < self.size.calm_from and rng.randrange(1000) < CRASH_PERMILLE
        self.crash_points.die_after(rng.randint(1, rng.choice(CRASH_AFTER_MAX)) if dies else 0)
        try:
            self._tell(f"{name} {work()}")
        except Crash as crash:
            self.outcome.crashes += 1
            self._tell(f"{name} died {crash}")
            return False
        except Exception as broken:  # noqa: BLE001  reported as a violation of this seed
            self._wrong(f"{name} raised {type(broken).__name__}: {broken}")
        finally:
            self.crash_points.die_after(0)
        return True

    def _deliver(self, callback: PendingCallback) -> None:
        """Deliver a callback; now and then a forged one first, which must be rejected."""
        if self.rng.randrange(50) == 0:
            self._forge(callback)
        if not self._job(f"callback c{callback.ordinal}", lambda: self._received(callback)):
            self.channel.resend(callback, self.at + RETRY_AFTER)

    def _received(self, callback: PendingCallback) -> str:
        fresh = callbacks.receive_callback(self.channel.name, callback.raw, callback.signature, real=self.at)
        return "fresh" if fresh else "known"

    def _forge(self, callback: PendingCallback) -> None:
        try:
            callbacks.receive_callback(self.channel.name, callback.raw + b" ", callback.signature, real=self.at)
            self._wrong(f"a forged callback about c{callback.ordinal} was believed")
        except BadSignature:
            self._tell(f"forged c{callback.ordinal}")

    def _knock(self, callback: PendingCallback) -> None:
        """Deliver a callback that arrives before the answer to its charge."""
        try:
            self._tell(f"early c{callback.ordinal} {self._received(callback)}")
        except Crash:
            self.channel.resend(callback, self.at + RETRY_AFTER)
            raise
        except Refusal as refusal:
            self._wrong(f"an early callback was refused: {refusal.code}")

    def _check(self, at: datetime, *, since: datetime) -> None:
        violations = self.checker.find_violations(self.at, since=since)
        for wrong in violations:
            self._wrong(wrong)
        self._tell(f"judged {at:%Y-%m-%d}: {len(violations)}")

    def _wrong(self, what: str) -> None:
        self.outcome.violations.append(f"{self.at:%Y-%m-%d %H:%M:%S} {what}")

    def _tell(self, what: str) -> None:
        self.outcome.log.append(f"{self.at:%m-%d %H:%M:%S} {what}")


def write_log(size: tuple[int, int, int], path: str) -> None:
    """Run one seed and write its log; for use in a separate process."""
    Path(path).write_text("\n".join(Simulation(Size(*size)).run(lambda: None).log), encoding="utf-8")


def _windows(size: Size, rng: random.Random, *, every_days: int, most: timedelta) -> list[tuple[datetime, datetime]]:
    """Random outage windows, sorted, about one every `every_days` days."""
    seconds = int((size.calm_from - START).total_seconds())
    begins = sorted(rng.randrange(seconds) for _ in range(1 + size.days // every_days))
    return [
        (begin, begin + timedelta(seconds=rng.randint(600, int(most.total_seconds()))))
        for begin in (START + timedelta(seconds=second) for second in begins)
    ]


def _after(windows: list[tuple[datetime, datetime]], moment: datetime) -> datetime:
    """The moment, moved to the end of the window it falls into."""
    for begin, end in windows:
        if begin <= moment < end:
            moment = end
    return moment
