"""When there is next something to remind people of: the moments at which `remind` would find what was not told."""

from datetime import timedelta

from accounts.wording import COLLECTION
from billing.services import remind
from kernel.sweeps import Sweep
from orders.models import Obligation


def _span(length: timedelta) -> str:
    return f"interval '{int(length.total_seconds())} seconds'"


def _due(stage: str, before: timedelta, until: timedelta) -> str:
    """The first moment in the days of a stage at which something due in it was not told.

    Both its due time and its next attempt must lie in those days then: one that was moved far has no such moment.
    """
    return f"""
    UNION ALL SELECT min(greatest(%(at)s, greatest(o.due_at, o.collect_at) - {_span(before)})) FROM orders_obligation o
    WHERE o.realm_id = %(realm)s AND o.collect_at > %(at)s::timestamptz + {_span(until)}
      AND o.due_at > %(at)s::timestamptz + {_span(until)}
      AND least(o.due_at, o.collect_at) > greatest(o.due_at, o.collect_at) - {_span(before - until)}
      AND NOT EXISTS (SELECT 1 FROM accounts_notice n
                      WHERE n.about = o.id AND n.stage = '{stage}' AND n.due_at = o.due_at)
    """  # noqa: S608  our own stages


#: A debit, a day ahead, the first of those not told by the index obligations_due; a late fee goes with its debt.
_PLANNED = f"""
    (SELECT greatest(%(at)s, o.collect_at - {_span(remind.AHEAD)}) AS moment FROM orders_obligation o
     WHERE o.realm_id = %(realm)s AND o.collect_at > %(at)s::timestamptz + {_span(remind.IMMEDIATE)}
       AND (o.kind = 'principal' OR NOT EXISTS (SELECT 1 FROM orders_obligation m WHERE m.order_id = o.order_id
                                                AND m.kind = 'principal' AND m.collect_at IS NOT NULL))
       AND NOT EXISTS (SELECT 1 FROM accounts_notice n
                       WHERE n.about = o.id AND n.stage = 'debit_planned' AND n.due_at = o.collect_at)
     ORDER BY o.collect_at LIMIT 1)
"""  # noqa: S608  our own figures
#: What is overdue and untold is to be told now: its days were counted a moment ago.
_OVERDUE = (
    remind.OVERDUE_UNTOLD.replace("%(days)s", f"'{{{','.join(map(str, remind.DAYS))}}}'")
    .replace("%(most)s", str(remind.DAYS_MAX))
    .replace("%(stage)s", f"'{COLLECTION}'")
    .replace("%(limit)s", "1")
)
DUE = Sweep(
    name="remind",
    act=remind.remind_due,
    first=f"SELECT min(moment) FROM ({_PLANNED} {''.join(_due(*stage) for stage in remind.DUE)}"
    f" UNION ALL SELECT %(at)s::timestamptz WHERE EXISTS ({_OVERDUE})) moments",  # noqa: S608  our own words
    batch=200,
    work=Obligation,
    column="order__completed_at",
)
