"""Late fees are forgiven; what was bought stays owed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from credit import services as credit
from credit.used import change_profiles
from kernel.actor import Actor
from kernel.refusal import SecondNeeded
from kernel.transactions import joined
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight, OrderState
from orders.services.forgive import waive_late_fees
from orders.services.promise import note_less_owed
from orders.services.tell import tell


@transaction.atomic
def waive_fees(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """The late fees of the order that are owed now are forgiven. Where nothing else was owed, it is done;
    where nothing else was late, it is not overdue any more.

    A debt that stays overdue goes on accruing them, up to the cap of what they may come to in all.

    Raises:
        NotFound: there is no such order.
        SecondNeeded: no colleague does it alone.
        OrderState: no late fee is owed.
        DeductionInFlight: money may be on its way.
    """
    if by.alone:
        raise SecondNeeded
    order = Order.objects.locked(order_id)
    every = _lock(order)
    waivable(every)
    order.record("fees_waived", by=by, at=at, note=reason)
    _waive(order, every, by=by, at=at)
    return order


@joined()
def forgive_refunded(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """Everything of the order goes back: its merchant keeps nothing, and nothing is left that late fees would be for.

    What was paid of them stays. The caller has seen to it that nothing of it is in flight.
    """
    order = Order.objects.locked(order_id)
    every = _lock(order)
    if any(row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.OWED for row in every):
        _waive(order, every, by=by, at=at)


def _lock(order: Order) -> list[Obligation]:
    every = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for row in every:
        row.order = order
    return every


def _waive(order: Order, every: Sequence[Obligation], *, by: Actor, at: datetime) -> None:
    deltas, waived = waive_late_fees(order, every, by=by, at=at)
    changes, news = note_less_owed(order, every, by=by, at=at)
    change_profiles([*deltas, *changes], at=at)
    tell([*waived, *news], realm_id=order.realm_id, at=at)
    if order.state == Order.State.DEDUCTED:
        credit.leave_orders([order.agreement_id], by=by, at=at)


def waivable(every: Sequence[Obligation]) -> list[Obligation]:
    """The late fees among an order's obligations that are owed.

    Raises:
        OrderState, DeductionInFlight: as waive_fees says.
    """
    if any(row.in_flight for row in every):
        raise DeductionInFlight(retry_after=5)
    fees = [row for row in every if row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.OWED and row.owed]
    if not fees:
        raise OrderState(_("No late fee is owed for this order."))
    return fees
