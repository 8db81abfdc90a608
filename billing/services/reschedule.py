"""Rescheduling by staff: move the next deduction attempt of an order to another day."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import queries
from billing.services.attempt_plans import MovedAlready, NothingPlanned, move_next_attempt
from kernel.actor import Actor
from orders.models import Obligation, Order


@transaction.atomic
def reschedule_next_attempt(order_id: UUID, to: datetime, *, note: str = "", by: Actor, at: datetime) -> None:
    """Move the next attempt at the order's principal, once, within the same limits as the person could.

    Raises:
        NotFound: there is no such order.
        DeductionInFlight, MovedAlready, NothingPlanned, CannotMove: as attempt_plans.move_next_attempt says.
    """
    order = Order.objects.locked(order_id)
    row = next_planned_obligation(order)
    move_next_attempt(row.id, to, at=at)
    order.record("due_moved", by=by, at=at, to=to, note=note)


def next_planned_obligation(order: Order) -> Obligation:
    """The principal of the order with the next planned deduction.

    Raises:
        NothingPlanned: there is none.
    """
    rows = order.obligations.filter(collect_at__isnull=False, kind=Obligation.Kind.PRINCIPAL)
    row = rows.select_related("person", "order__service").order_by("collect_at", "pk").first()
    if row is None:
        raise NothingPlanned
    return row


def available_dates(order: Order, *, at: datetime) -> list[datetime]:
    """The dates to which the next attempt may be moved.

    Raises:
        NothingPlanned, MovedAlready: it cannot be moved.
    """
    row = next_planned_obligation(order)
    if row.moved_at is not None:
        raise MovedAlready
    name = row.order.service.retry_policy
    return queries.rescheduling_options(row, queries.retry_policies_at([name], at)[name], zone=row.person.zone, at=at)
