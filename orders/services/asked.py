"""Whether what was planned was asked for. A day on which it was not, for we stood still, costs its person nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from kernel.prepared import Reading
from orders.models import Obligation, Plan

#: When a plan was made, and for when its first attempt; None where it had none.
Made: TypeAlias = tuple[datetime, datetime | None]
#: A day that is closed sooner than this after its end is judged by the plan that there is: none was made since.
SOON = timedelta(minutes=10)
_PLANS = Reading(
    lambda keys: (
        Plan.objects.filter(obligation_id__any=keys)
        .order_by("obligation_id", "id")
        .values_list("obligation_id", "at", "attempts__0__at")
    ),
    ["uuid[]"],
)


def plans_since(rows: Sequence[Obligation], *, at: datetime) -> Mapping[UUID, Sequence[Made]]:
    """The plans that these had, of those whose days are closed late."""
    late = [row.id for row in rows if row.day_end_at is not None and row.day_end_at + SOON <= at]
    found: dict[UUID, list[Made]] = {}
    for key, made_at, first in _PLANS.rows(late) if late else ():
        found.setdefault(key, []).append((made_at, datetime.fromisoformat(first) if first else None))
    return found


def was_asked(row: Obligation, plans: Mapping[UUID, Sequence[Made]], *, end: datetime) -> bool:
    """Whether no attempt had come by the end of this day that was still to be made, or whose outcome nobody knew.

    For what only its person's own hand pays none is made, whatever was planned before.
    """
    if row.by_hand:
        return True
    before = [first for made_at, first in plans.get(row.id, ()) if made_at <= end]
    first = before[-1] if before else row.collect_at
    return first is None or first > end
