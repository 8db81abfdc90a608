"""Whether planned attempts were made. A day on which our own attempt was overdue costs the person no late fee."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from kernel.prepared_statements import PreparedQuery
from orders.models import Obligation, Plan

#: When a plan was made, and when its first attempt was planned; None if it had none.
PlanVersion: TypeAlias = tuple[datetime, datetime | None]
#: A day closed within this time after its end is judged by the current plan: no other was made since.
RECENT = timedelta(minutes=10)
_PLANS = PreparedQuery(
    lambda keys: (
        Plan.objects.filter(obligation_id__any=keys)
        .order_by("obligation_id", "id")
        .values_list("obligation_id", "at", "attempts__0__at")
    ),
    ["uuid[]"],
)


def plan_versions_of(rows: Sequence[Obligation], *, at: datetime) -> Mapping[UUID, Sequence[PlanVersion]]:
    """The plan versions of the obligations whose days are being closed late."""
    closed_late = [row.id for row in rows if row.day_end_at is not None and row.day_end_at + RECENT <= at]
    versions: dict[UUID, list[PlanVersion]] = {}
    for key, made_at, first in _PLANS.rows(closed_late) if closed_late else ():
        versions.setdefault(key, []).append((made_at, datetime.fromisoformat(first) if first else None))
    return versions


def was_attempted(row: Obligation, plans: Mapping[UUID, Sequence[PlanVersion]], *, end: datetime) -> bool:
    """Whether all attempts planned up to the end of this day had been made and their outcome was known.

    Nothing is attempted for debts that only the person can pay, whatever was planned before.
    """
    if row.by_hand:
        return True
    before = [first for made_at, first in plans.get(row.id, ()) if made_at <= end]
    first = before[-1] if before else row.collect_at
    return first is None or first > end
