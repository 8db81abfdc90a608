"""The jobs of bnpl.celery in virtual time: each runs at most as often as there, and only when something is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import deliver
from billing.services import deduct, outcome_polling, reminders, statement_fetching
from billing.services.clock_advance import next_due_times
from bnpl.celery import SCHEDULE
from kernel.models import LIVE
from orders import services as orders

#: Sweeps over due rows, in the order in which they run at one moment.
SWEEPS = (deduct.SWEEP, outcome_polling.SWEEP, orders.OVERDUE_SWEEP, orders.DAY_END_SWEEP, deliver.SWEEP)
#: Three run less often than in bnpl.celery, or most of a run would be notices: reminders once a day, since they are
#: sent one and three days ahead, and notices four times a day. Statements are daily anyway.
INTERVALS = {"remind": timedelta(days=1), "notices": timedelta(hours=6), "statements": timedelta(days=1)}


@dataclass(slots=True)
class ScheduledJob:
    """One periodic job."""

    name: str
    sweep: Callable[..., int]
    every: timedelta
    batch: int
    last_run: datetime | None = None

    def next_run(self, due: datetime | None) -> datetime | None:
        """When it runs next for something due at that time."""
        return due if due is None or self.last_run is None else max(due, self.last_run + self.every)

    def run(self, at: datetime) -> int:
        """Process what is due, batch by batch as kernel.sweeps does. Returns how many rows."""
        self.last_run = at
        done = count = self.sweep(LIVE, at=at, limit=self.batch)
        while count == self.batch:
            count = self.sweep(LIVE, at=at, limit=self.batch)
            done += count
        return done


def scheduled_jobs() -> list[ScheduledJob]:
    """All jobs: the sweeps, then reminders and statement fetching."""
    waiting = [_job(sweep.name, sweep.process_batch, batch=sweep.batch_size) for sweep in SWEEPS]
    papers = _job("statements", fetch_statements, batch=statement_fetching.DAYS_PER_RUN)
    return [*waiting, _job("remind", reminders.remind_all, batch=200), papers]


def fetch_statements(realm_id: int, *, at: datetime, limit: int) -> int:
    """Fetch the channel's statements of past days."""
    assert limit == statement_fetching.DAYS_PER_RUN
    return statement_fetching.fetch_channel("sandbox", realm_id, at=at)


def due_times(at: datetime) -> list[datetime | None]:
    """When each job has something due; reminders and statements always may."""
    found = next_due_times(LIVE, at=at, sweeps=SWEEPS)
    return [*(found.get(sweep.name) for sweep in SWEEPS), at, at]


def _job(name: str, sweep: Callable[..., int], *, batch: int) -> ScheduledJob:
    return ScheduledJob(name, sweep, INTERVALS.get(name) or timedelta(seconds=SCHEDULE[name]["schedule"]), batch)
