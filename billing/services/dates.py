"""A colleague has the next attempt at an order made on another day."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import queries
from billing.services.plan import MovedAlready, NothingPlanned, move_next
from kernel.actor import Actor
from orders.models import Obligation, Order


@transaction.atomic
def move_date(order_id: UUID, to: datetime, *, note: str = "", by: Actor, at: datetime) -> None:
    """The next attempt at what was bought is made then: once, as far as its person could move it themselves.

    Raises:
        NotFound: there is no such order.
        DeductionInFlight, MovedAlready, NothingPlanned, CannotMove: as plan.move_next says.
    """
    order = Order.objects.locked(order_id)
    row = next_planned(order)
    move_next(row.id, to, at=at)
    order.record("due_moved", by=by, at=at, to=to, note=note)


def next_planned(order: Order) -> Obligation:
    """What of an order is collected by plan next, but for a fee.

    Raises:
        NothingPlanned: nothing is.
    """
    rows = order.obligations.filter(collect_at__isnull=False, kind=Obligation.Kind.PRINCIPAL)
    row = rows.select_related("person", "order__service").order_by("collect_at", "pk").first()
    if row is None:
        raise NothingPlanned
    return row


def days_of(order: Order, *, at: datetime) -> list[datetime]:
    """To when the next attempt may be moved.

    Raises:
        NothingPlanned, MovedAlready: it may not.
    """
    row = next_planned(order)
    if row.moved_at is not None:
        raise MovedAlready
    name = row.order.service.retry_policy
    return queries.moves_of(row, queries.policies_at([name], at)[name], zone=row.person.zone, at=at)
