"""Pause and resume orders: while any reason holds, nothing is collected, no overdue days count and no fees accrue."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from kernel.actor import Actor
from kernel.lifecycle import record_all
from orders import rules
from orders.models import Concern, Obligation, Order, Pause, Plan
from orders.refusals import order_state_refusal
from orders.services.claims import record_plans


@transaction.atomic
def pause_order(order_id: UUID, reason: str, *, note: str = "", by: Actor, at: datetime) -> Pause:
    """Pause the order for a problem, return, refund, hardship or channel outage. Idempotent for the same reason.

    The order's history records it with the `note`, also if the order is already paused for another reason.

    A deduction in flight runs to its end.

    Raises:
        NotFound: there is no such order.
        OrderState: nothing is owed of it.
    """
    order = Order.objects.locked(order_id)
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise order_state_refusal(order.state)
    pause = order.pauses.filter(reason=reason, ended_at__isnull=True).first()
    if pause is not None:
        return pause
    order.record("paused", by=by, at=at, reason=reason, note=note)
    rows = _lock_owed(order)
    running = [row for row in rows if row.paused_at is None]
    for row in running:
        row.pause(at=at)
    record_all(running, "paused", by=by, at=at, data=[{"reason": reason}] * len(running))
    return Pause.objects.create(order=order, reason=reason, began_at=at, began_by=str(by))


@transaction.atomic
def resume_order(order_id: UUID, reason: str, *, note: str = "", by: Actor, at: datetime) -> None:
    """End one reason of the pause; after the last one the order resumes with all dates moved. Idempotent.

    Raises:
        NotFound: there is no such order.
    """
    order = Order.objects.locked(order_id)
    ended = order.pauses.filter(reason=reason, ended_at__isnull=True).update(ended_at=at, ended_by=str(by))
    if not ended:
        return
    order.record("resumed", by=by, at=at, reason=reason, note=note)
    if order.pauses.filter(ended_at__isnull=True).exists():
        return
    rows = [row for row in _lock_owed(order) if row.paused_at is not None]
    for row in rows:
        row.resume(at=at, day_end_at=rules.next_midnight(at, row.person.zone))
    record_all(rows, "resumed", by=by, at=at)
    record_plans([row for row in rows if row.plan], Plan.Why.RESUMED, at=at)


def pause_if_reported(order: Order, *, at: datetime) -> None:
    """Pause an order of which something has become owed while its first reported problem is still open."""
    if order.reported_at is None:
        return
    reports = list(order.concerns.filter(kind=Concern.Kind.PROBLEM).values_list("state", flat=True))
    if reports == [Concern.State.OPEN]:
        pause_order(order.id, Pause.Reason.PROBLEM, by=Actor.person(order.person_id), at=at)


def _lock_owed(order: Order) -> list[Obligation]:
    rows = order.obligations.filter(state__in=Obligation.OWED).select_related("person")
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
