"""Waive late fees; the principal stays owed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from credit import services as credit
from credit.usage import apply_deltas
from kernel.actor import Actor
from kernel.refusal import ApprovalRequired
from kernel.transactions import join_transaction
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight, OrderState
from orders.services.events import publish_events
from orders.services.promises import record_order_state
from orders.services.reductions import waive_late_fees


@transaction.atomic
def waive_fees(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """Waive the late fees that the order owes now, and finish the order or clear its overdue state if nothing else
    keeps it.

    A debt that stays overdue accrues further late fees, up to the cap on their sum.

    Raises:
        NotFound: there is no such order.
        ApprovalRequired: it needs two members of staff.
        OrderState: no late fee is owed.
        DeductionInFlight: a deduction is in progress.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    order = Order.objects.locked(order_id)
    obligations = _lock_obligations(order)
    waivable_fees(obligations)
    order.record("fees_waived", by=by, at=at, note=reason)
    _waive(order, obligations, by=by, at=at)
    return order


@join_transaction()
def waive_fees_of_refunded(order_id: UUID, *, by: Actor, at: datetime) -> None:
    """Waive the unpaid late fees of an order that is refunded in full, as the merchant keeps nothing of it.

    Those that were written off too, or the order would stay overdue for ever. Paid late fees stay paid. The caller
    makes sure that no deduction is in flight.
    """
    order = Order.objects.locked(order_id)
    obligations = _lock_obligations(order)
    if any(row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.PAYABLE for row in obligations):
        _waive(order, obligations, include_written_off=True, by=by, at=at)


def _lock_obligations(order: Order) -> list[Obligation]:
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for row in obligations:
        row.order = order
    return obligations


def _waive(
    order: Order, obligations: Sequence[Obligation], *, include_written_off: bool = False, by: Actor, at: datetime
) -> None:
    deltas, waiver_events = waive_late_fees(order, obligations, include_written_off=include_written_off, by=by, at=at)
    changes, events = record_order_state(order, obligations, by=by, at=at)
    apply_deltas([*deltas, *changes], at=at)
    publish_events([*waiver_events, *events], realm_id=order.realm_id, at=at)
    if order.state == Order.State.DEDUCTED:
        credit.remove_live_orders([order.agreement_id], by=by, at=at)


def waivable_fees(obligations: Sequence[Obligation]) -> list[Obligation]:
    """The unpaid late fees among an order's obligations.

    Raises:
        OrderState, DeductionInFlight: as waive_fees says.
    """
    if any(row.in_flight for row in obligations):
        raise DeductionInFlight(retry_after=5)
    fees = [
        row for row in obligations if row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.OWED and row.owed
    ]
    if not fees:
        raise OrderState(_("No late fee is owed for this order."))
    return fees
