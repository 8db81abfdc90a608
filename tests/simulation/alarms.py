"""The alarm clocks of bnpl.celery in virtual time: each rings no oftener than there, and only when something is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import deliver
from billing.services import ask, deduct, fetch, remind
from billing.services.passing import first_moments
from bnpl.celery import SCHEDULE
from kernel.models import LIVE
from orders import services as orders

#: Those that wait for rows, in the order in which they ring at one moment.
WAITING = (deduct.DUE, ask.DUE, orders.GOING_OVERDUE, orders.DAYS_ENDING, deliver.QUEUED)
#: Three ring less often than there, or most of a run would be texts: what is coming is looked for once a day, since it
#: is told a day and three days ahead, and what is to be told goes out four times a day. Statements are there by day.
EVERY = {"remind": timedelta(days=1), "notices": timedelta(hours=6), "statements": timedelta(days=1)}


@dataclass(slots=True)
class Alarm:
    """One periodic job."""

    name: str
    sweep: Callable[..., int]
    every: timedelta
    batch: int
    last: datetime | None = None

    def moment(self, due: datetime | None) -> datetime | None:
        """When it rings next for something due at that time."""
        return due if due is None or self.last is None else max(due, self.last + self.every)

    def ring(self, at: datetime) -> int:
        """Work off what is due, batch by batch as kernel.sweeps does. Returns how much it was."""
        self.last = at
        done = count = self.sweep(LIVE, at=at, limit=self.batch)
        while count == self.batch:
            count = self.sweep(LIVE, at=at, limit=self.batch)
            done += count
        return done


def alarms() -> list[Alarm]:
    """Those that wait for rows; the reminders and the channel's statements come last."""
    waiting = [_alarm(sweep.name, sweep.act, batch=sweep.batch) for sweep in WAITING]
    papers = _alarm("statements", fetch_statements, batch=fetch.DAYS_AT_ONCE)
    return [*waiting, _alarm("remind", remind.remind_due, batch=200), papers]


def fetch_statements(realm_id: int, *, at: datetime, limit: int) -> int:
    """Take in the channel's files of days that are over, so many of them."""
    assert limit == fetch.DAYS_AT_ONCE
    return fetch.fetch_of("sandbox", realm_id, at=at)


def due_moments(at: datetime) -> list[datetime | None]:
    """When each of the alarms has something to do, as the rows say; reminders and statements always may."""
    found = first_moments(LIVE, at=at, sweeps=WAITING)
    return [*(found.get(sweep.name) for sweep in WAITING), at, at]


def _alarm(name: str, sweep: Callable[..., int], *, batch: int) -> Alarm:
    return Alarm(name, sweep, EVERY.get(name) or timedelta(seconds=SCHEDULE[name]["schedule"]), batch)
