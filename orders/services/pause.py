"""Stopping the clock: while a reason holds, nothing of an order is collected, counted, or held against anybody."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from kernel.actor import Actor
from kernel.lifecycle import record_all
from orders import rules
from orders.models import Concern, Obligation, Order, Pause, Plan
from orders.refusals import OrderState
from orders.services.claims import keep_plans


@transaction.atomic
def pause_order(order_id: UUID, reason: str, *, note: str = "", by: Actor, at: datetime) -> Pause:
    """A problem, a return, a refund, hardship or an outage stops the order's clock. The same reason twice is one.

    The order's history says so, and keeps the `note` of whoever stopped it, also where another reason holds already.

    What is in flight already runs to its end.

    Raises:
        NotFound: there is no such order.
        OrderState: nothing is owed of it.
    """
    order = Order.objects.locked(order_id)
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise OrderState(f"The order is {order.state}.")
    held = order.pauses.filter(reason=reason, ended_at__isnull=True).first()
    if held is not None:
        return held
    order.record("paused", by=by, at=at, reason=reason, note=note)
    rows = _owed(order)
    moving = [row for row in rows if row.paused_at is None]
    for row in moving:
        row.stand_still(at=at)
    record_all(moving, "paused", by=by, at=at, data=[{"reason": reason}] * len(moving))
    return Pause.objects.create(order=order, reason=reason, began_at=at, began_by=str(by))


@transaction.atomic
def resume_order(order_id: UUID, reason: str, *, note: str = "", by: Actor, at: datetime) -> None:
    """The reason is gone; when it was the last one, the clock goes on exactly where it stood. Twice is once.

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
    rows = [row for row in _owed(order) if row.paused_at is not None]
    for row in rows:
        row.go_on(at=at, day_end_at=rules.next_midnight(at, row.person.zone))
    record_all(rows, "resumed", by=by, at=at)
    keep_plans([row for row in rows if row.plan], Plan.Why.RESUMED, at=at)


def hold_reported(order: Order, *, at: datetime) -> None:
    """Something is owed now of an order whose first reported problem is still being looked into: it stands still."""
    if order.reported_at is None:
        return
    reports = list(order.concerns.filter(kind=Concern.Kind.PROBLEM).values_list("state", flat=True))
    if reports == [Concern.State.OPEN]:
        pause_order(order.id, Pause.Reason.PROBLEM, by=Actor.person(order.person_id), at=at)


def _owed(order: Order) -> list[Obligation]:
    rows = order.obligations.filter(state__in=Obligation.OWED).select_related("person")
    return list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
