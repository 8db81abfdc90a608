"""Advancing the clock of one realm: it moves from one due time to the next, and runs what is due at each."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

import structlog

from accounts import deliver
from billing.services import (
    callbacks,
    deduct,
    dispute_deadlines,
    invoices,
    movement_polling,
    outcome_polling,
    payouts,
    refund_retries,
    reminder_sweeps,
    return_deadlines,
    settlements,
)
from credit import limit_reviews
from kernel.prepared_statements import PreparedStatement
from kernel.sweeps import Sweep
from orders import services as orders

log = structlog.get_logger(__name__)
#: Everything that can be due in a realm, in the order in which it runs at one moment: payments first, then overdue
#: handling, then notices.
SWEEPS: tuple[Sweep, ...] = (
    deduct.SWEEP,
    outcome_polling.SWEEP,
    movement_polling.REFUNDS_SWEEP,
    refund_retries.SWEEP,
    movement_polling.PAYOUTS_SWEEP,
    callbacks.SWEEP,
    dispute_deadlines.DUE,
    return_deadlines.DUE,
    settlements.DUE,
    invoices.DUE,
    payouts.DUE,
    orders.OVERDUE_SWEEP,
    orders.DAY_END_SWEEP,
    orders.EXPIRY_SWEEP,
    limit_reviews.LIMIT_REVIEW_SWEEP,
    *reminder_sweeps.STAGE_SWEEPS,
    deliver.SWEEP,
)
#: Sweeps that also run when one of these sweeps did something at the same moment, even if nothing was due for them.
#: Overdue reminders are due once the days are counted, or once what held them back has ended.
TRIGGERED_BY: Mapping[str, frozenset[str]] = {
    "overdue_days": frozenset(
        {"deduct", "ask", "ask_refunds", "refunds_again", "callbacks", "disputes", "overdue", "days"}
    ),
    "notices": frozenset(
        {
            "deduct",
            "ask",
            "ask_refunds",
            "refunds_again",
            "callbacks",
            "disputes",
            "limits",
            *(sweep.name for sweep in reminder_sweeps.STAGE_SWEEPS),
        }
    ),
}
#: Scheduled jobs that do not follow a sandbox's clock, and why. A test requires every job to be here or above.
REAL_TIME_JOBS = {
    "outages": "staff declare outages in real time; advancing a clock applies them once",
    "statements": "a channel's file arrives in real time; an advanced clock is caught up by the next run",
    "books": "a day is closed long after its end; an advanced clock is caught up by the next run",
    "webhooks": "receivers live in real time: what became due is sent once the clock has arrived",
    "webhooks_again": "the same, for receivers that did not answer the last time",
    "letters": "email to a merchant's staff, who live in real time",
    "files": "a list export of the console is downloaded and expires in real time",
    "exports": "an export of personal data is downloaded and expires in real time",
    "erasures": "a request for erasure may be withdrawn for some days of real time",
    "answers": "how long a request may be repeated under its idempotency key is real time",
    "sessions": "sessions expire in real time",
    "proposals": "the second colleague has days of real time to approve",
    "figures": "metrics are computed for staff, who live in real time",
}
#: What is still due after it ran, because another worker has locked it or it keeps failing, is checked again so often,
#: after the first few times with a pause in seconds: one second of real time in all.
RECHECKS_MAX, FAST_RECHECKS, RECHECK_PAUSE = 55, 5, 0.02
#: After that it is retried later in the realm's time, with the wait doubling up to a maximum.
BACKOFF_MIN, BACKOFF_MAX = timedelta(minutes=1), timedelta(days=1)
DueTimes: TypeAlias = dict[str, datetime]


def next_due_times(realm_id: int, *, at: datetime, sweeps: Sequence[Sweep] = SWEEPS) -> DueTimes:
    """When each sweep has something to do next, seen at `at`; sweeps with nothing to do are left out."""
    dated = [sweep for sweep in sweeps if sweep.first_due_sql]
    queries = ", ".join(f"({sweep.first_due_sql})" for sweep in dated)
    (due_times,) = _prepare_query(f"SELECT {queries}").rows(realm_id, at)
    return {sweep.name: moment for sweep, moment in zip(dated, due_times, strict=True) if moment is not None}


@lru_cache(maxsize=8)
def _prepare_query(sql: str) -> PreparedStatement:
    return PreparedStatement(sql % {"realm": "$1", "at": "$2"}, ["bigint", "timestamptz"])


class SweepRunner:
    """Runs a realm's sweeps while its clock advances. `set_clock` sets the clock to at least a time, and returns it."""

    def __init__(self, realm_id: int, set_clock: Callable[[datetime], datetime]) -> None:
        self.realm_id, self._set_clock = realm_id, set_clock
        self._work: Counter[str] = Counter()
        #: For each sweep: when it ran last, how often it was still due since, and when it is retried in that case.
        self._last_run: dict[str, datetime] = {}
        self._rechecks: Counter[str] = Counter()
        self._backoff: dict[str, tuple[datetime, timedelta]] = {}

    @property
    def work(self) -> Mapping[str, int]:
        """How many rows each kind of work processed."""
        return {name: count for name, count in self._work.items() if count}

    def run_until(self, at: datetime, to: datetime, *, until: float) -> bool:
        """Advance from `at` to `to`, or as far as possible before `until` (time.monotonic). Whether it arrived."""
        for sweep in SWEEPS:
            if not sweep.first_due_sql:
                self._run_sweep(sweep, at, until=until)
        while time.monotonic() < until:
            due_times = self._next_due_times(at)
            first = min(due_times.values(), default=None)
            if first is None or first > to:
                self._set_clock(to)
                return True
            if first > at:
                at = self._set_clock(first)
            busy: set[str] = set()
            for sweep in SWEEPS:
                is_due = sweep.name in due_times and due_times[sweep.name] <= at
                is_triggered = busy & TRIGGERED_BY.get(sweep.name, frozenset())
                if (is_due or is_triggered) and self._run_sweep(sweep, at, until=until):
                    busy.add(sweep.name)
        return False

    def _next_due_times(self, at: datetime) -> DueTimes:
        """When each sweep is to run next. One still due after it ran is checked again, then postponed."""
        due_times = next_due_times(self.realm_id, at=at)
        for name, due_at in due_times.items():
            last_run = self._last_run.get(name)
            if last_run is None or due_at > last_run:
                self._rechecks.pop(name, None)
                self._backoff.pop(name, None)
            else:
                due_times[name] = self._recheck_time(name, due_at, at)
        return due_times

    def _recheck_time(self, name: str, due_at: datetime, at: datetime) -> datetime:
        """When to run a sweep that is still due after it ran: now, or later after too many rechecks."""
        retry_at, wait = self._backoff.get(name, (None, BACKOFF_MIN))
        if retry_at is not None and self._last_run[name] < retry_at:
            return max(due_at, retry_at)
        self._rechecks[name] += 1
        if retry_at is None and self._rechecks[name] < RECHECKS_MAX:
            time.sleep(RECHECK_PAUSE if self._rechecks[name] > FAST_RECHECKS else 0)
            return due_at
        log.warning("still_due", realm=self.realm_id, kind=name, since=due_at.isoformat(), at=at.isoformat())
        self._backoff[name] = (at + wait, min(2 * wait, BACKOFF_MAX))
        return at + wait

    def _run_sweep(self, sweep: Sweep, at: datetime, *, until: float) -> int:
        """Run batches of a sweep until one is not full. Returns how many rows were processed."""
        self._last_run[sweep.name] = at
        done = count = self._run_batch(sweep, at)
        while count >= sweep.batch_size and time.monotonic() < until:
            count = self._run_batch(sweep, at)
            done += count
        return done

    def _run_batch(self, sweep: Sweep, at: datetime) -> int:
        count = sweep.process_batch(self.realm_id, at=at, limit=sweep.batch_size)
        self._work[sweep.job_name or sweep.name] += count
        return count
