"""Sweeps for reminders: one for the scheduled job, and one per stage for a sandbox clock that is advanced."""

from datetime import datetime, timedelta

from billing.services import reminders
from kernel.sweeps import Sweep
from orders.models import Obligation

BEAT = "remind"
#: How far past a stage's window the SQL looks for reminders; what is further ahead is found when its time has come.
LOOKAHEAD = timedelta(days=1)
_ALONE = """(o.kind <> 'late_fee' OR NOT EXISTS (
    SELECT 1 FROM orders_obligation m
    WHERE m.order_id = o.order_id AND m.kind <> 'late_fee' AND m.collect_at = o.collect_at))"""


def _first_due_sql(stage: str, before: timedelta, until: timedelta, *, noticed_at: str, moment: str, where: str) -> str:
    """SQL: when the next reminder of this stage is due, in the span from `before` to `until` ahead of `moment`."""
    at, horizon = "%(at)s::timestamptz", _interval(before + LOOKAHEAD)
    return f"""
    SELECT least(
        (SELECT min(greatest({moment} - {_interval(before)}, {at})) FROM orders_obligation o
         WHERE o.realm_id = %(realm)s AND o.collect_at > {at} + {_interval(until)}
           AND o.collect_at <= {at} + {horizon} AND {where}
           AND NOT EXISTS (SELECT 1 FROM accounts_notice n
                           WHERE n.about = o.id AND n.stage = '{stage}' AND n.due_at = {noticed_at})),
        (SELECT min(o.collect_at) - {_interval(before)} FROM orders_obligation o
         WHERE o.realm_id = %(realm)s AND o.collect_at > {at} + {horizon}))
    """  # noqa: S608  our own words


def _interval(length: timedelta) -> str:
    return f"interval '{int(length.total_seconds())} seconds'"


def _due_sweep(stage: str, before: timedelta, until: timedelta) -> Sweep:
    """The sweep of a due-date stage. An obligation collected much later than it is due gets no such reminder."""

    def act(realm_id: int, *, at: datetime, limit: int) -> int:
        return reminders.remind_due_soon(realm_id, stage, before, until, at=at, limit=limit)

    later = "greatest(o.due_at, o.collect_at)"
    where = (
        f"o.due_at > %(at)s::timestamptz + {_interval(until)}"
        f" AND least(o.due_at, o.collect_at) > {later} - {_interval(before - until)}"
    )
    return Sweep(
        name=stage,
        process_batch=act,
        first_due_sql=_first_due_sql(stage, before, until, noticed_at="o.due_at", moment=later, where=where),
        batch_size=200,
        job_name=BEAT,
    )


#: All stages, as the scheduled job runs them.
SWEEP = Sweep(
    name=BEAT, process_batch=reminders.remind_all, batch_size=200, model=Obligation, due_column="order__completed_at"
)
#: Stage by stage. The last has no due time of its own: see clock_advance.TRIGGERED_BY.
STAGE_SWEEPS = (
    Sweep(
        name="debit_planned",
        process_batch=reminders.remind_planned_debits,
        first_due_sql=_first_due_sql(
            "debit_planned",
            reminders.ANNOUNCE_BEFORE,
            reminders.IMMEDIATE,
            noticed_at="o.collect_at",
            moment="o.collect_at",
            where=_ALONE,
        ),
        batch_size=200,
        job_name=BEAT,
    ),
    *(_due_sweep(*stage) for stage in reminders.DUE_STAGES),
    Sweep(
        name="overdue_days",
        process_batch=reminders.remind_overdue,
        batch_size=200,
        job_name=BEAT,
    ),
)
