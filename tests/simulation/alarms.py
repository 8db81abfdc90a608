"""The alarm clocks of bnpl.celery in virtual time: each rings no oftener than there, and only when something is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from accounts import deliver
from billing.services import ask, deduct, remind
from bnpl.celery import SCHEDULE
from kernel.models import LIVE
from orders import services as orders

BATCH = 100
#: Two of them ring less often than there, or most of a run would be texts: what is coming is looked for once a day,
#: since it is told a day and three days ahead, and what is to be told goes out four times a day.
EVERY = {"remind": timedelta(days=1), "notices": timedelta(hours=6)}
DUE = """
SELECT (SELECT min(collect_at) FROM orders_obligation WHERE realm_id = %(realm)s AND collect_at IS NOT NULL),
       (SELECT min(ask_at) FROM billing_deduction WHERE realm_id = %(realm)s AND ask_at IS NOT NULL),
       (SELECT min(overdue_from) FROM orders_obligation
        WHERE realm_id = %(realm)s AND overdue_from IS NOT NULL AND in_flight IS NULL),
       (SELECT min(day_end_at) FROM orders_obligation o
        WHERE realm_id = %(realm)s AND day_end_at IS NOT NULL AND day_end_error = ''
          AND kind = 'principal' AND NOT EXISTS (
            SELECT 1 FROM orders_obligation held
            WHERE held.order_id = o.order_id AND held.in_flight IS NOT NULL)),
       (SELECT min(next_at) FROM accounts_delivery WHERE realm_id = %(realm)s AND next_at IS NOT NULL)
"""


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
    """Those that wait for rows, in the order in which DUE names their columns; the reminders come last."""
    return [
        _alarm("deduct", deduct.deduct_due),
        _alarm("ask", ask.ask_unknown),
        _alarm("overdue", orders.mark_overdue),
        _alarm("days", orders.close_days),
        _alarm("notices", deliver.deliver_due),
        _alarm("remind", remind.remind_due, batch=200),
    ]


def due_moments(at: datetime) -> list[datetime | None]:
    """When each of the alarms has something to do, as the rows say; reminders always may."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"realm": LIVE})
        return [*cursor.fetchone(), at]


def _alarm(name: str, sweep: Callable[..., int], *, batch: int = BATCH) -> Alarm:
    return Alarm(name, sweep, EVERY.get(name) or timedelta(seconds=SCHEDULE[name]["schedule"]), batch)
