"""When there is next something to remind people of: each stage of `remind` by itself, for a clock that is moved on."""

from datetime import datetime, timedelta

from billing.services import remind
from kernel.sweeps import Sweep
from orders.models import Obligation

BEAT = "remind"
#: How far past a stage's first moment it is looked ahead; what lies further is looked for when its moment has come.
FURTHER = timedelta(days=1)
_ALONE = """(o.kind <> 'late_fee' OR NOT EXISTS (
    SELECT 1 FROM orders_obligation m
    WHERE m.order_id = o.order_id AND m.kind <> 'late_fee' AND m.collect_at = o.collect_at))"""


def _first(stage: str, before: timedelta, until: timedelta, *, told: str, moment: str, where: str) -> str:
    """SQL: the first moment at which something in this stage, which `before` and `until` bound, is untold."""
    at, horizon = "%(at)s::timestamptz", _span(before + FURTHER)
    return f"""
    SELECT least(
        (SELECT min(greatest({moment} - {_span(before)}, {at})) FROM orders_obligation o
         WHERE o.realm_id = %(realm)s AND o.collect_at > {at} + {_span(until)}
           AND o.collect_at <= {at} + {horizon} AND {where}
           AND NOT EXISTS (SELECT 1 FROM accounts_notice n
                           WHERE n.about = o.id AND n.stage = '{stage}' AND n.due_at = {told})),
        (SELECT min(o.collect_at) - {_span(before)} FROM orders_obligation o
         WHERE o.realm_id = %(realm)s AND o.collect_at > {at} + {horizon}))
    """  # noqa: S608  our own words


def _span(length: timedelta) -> str:
    return f"interval '{int(length.total_seconds())} seconds'"


def _of_due(stage: str, before: timedelta, until: timedelta) -> Sweep:
    """What is due in so many days. One that is collected much later than it is due is in no such day."""

    def act(realm_id: int, *, at: datetime, limit: int) -> int:
        return remind.remind_of_due(realm_id, stage, before, until, at=at, limit=limit)

    later = "greatest(o.due_at, o.collect_at)"
    where = (
        f"o.due_at > %(at)s::timestamptz + {_span(until)}"
        f" AND least(o.due_at, o.collect_at) > {later} - {_span(before - until)}"
    )
    return Sweep(
        name=stage,
        act=act,
        first=_first(stage, before, until, told="o.due_at", moment=later, where=where),
        batch=200,
        beat=BEAT,
    )


#: All of it, as the beat rings for it.
EVERYTHING = Sweep(name=BEAT, act=remind.remind_due, batch=200, work=Obligation, column="order__completed_at")
#: And stage by stage. The last has no moment: see AFTER.
STAGES = (
    Sweep(
        name="debit_planned",
        act=remind.remind_of_debits,
        first=_first(
            "debit_planned",
            remind.AHEAD,
            remind.IMMEDIATE,
            told="o.collect_at",
            moment="o.collect_at",
            where=_ALONE,
        ),
        batch=200,
        beat=BEAT,
    ),
    *(_of_due(*stage) for stage in remind.DUE),
    Sweep(
        name="overdue_days",
        act=remind.remind_of_overdue,
        batch=200,
        beat=BEAT,
    ),
)
