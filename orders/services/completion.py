"""End the service of an order: complete it, cancel it, reduce its total, or mark it as paid outside the platform."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from credit import services as credit
from credit.usage import ProfileDelta, apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.transactions import join_transaction
from ledger import services as ledger
from ledger.services import JournalEntry
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import AlreadyCollected, OrderState, TotalRaised, order_state_refusal
from orders.services.approvals import require_approval
from orders.services.completion_request import CompletionRequest, resolve_due_at, resolve_paid_at, resolve_total
from orders.services.events import order_event, publish_events
from orders.services.pauses import pause_if_reported
from orders.services.promises import delta_for, finish_order, record_order_state, undo_breach
from orders.services.reductions import (
    ended_events,
    lock_changeable,
    lock_uncollected,
    owed_principal_of,
    principal_of,
    reduce_obligations,
    waive_late_fees,
    waive_obligations,
)


@join_transaction()
def complete_order(order_id: UUID, request: CompletionRequest, *, by: Actor, at: datetime) -> Order:
    """Complete the order: the held ceiling is released and the total becomes due at the agreed time.

    A repeated completion returns the order unchanged. If the total is zero nothing is owed: the order is finished at
    once and does not count as a promise kept.

    Raises:
        NotFound: there is no such order.
        OrderState: it is not open, or was completed with other parameters.
        TotalInvalid, AboveCeiling, EndsInFuture, TimesInvalid: the figures do not fit.
    """
    order = Order.objects.locked(order_id)
    if order.final_hash is not None and bytes(order.final_hash) == request.fingerprint:
        return order
    if order.state != Order.State.OPEN:
        raise order_state_refusal(order.state)
    due_at = resolve_due_at(order, request, at=at)
    total = resolve_total(order, request)
    ends_at = request.ends_at or min(order.ends_at or at, at)  # a planned end in the future ends now
    changes: dict[str, Any] = {"final_hash": request.fingerprint, "ends_at": ends_at}
    if request.items is not None:
        changes |= {"items": list(request.items), "discounts": list(request.discounts)}
    elif order.items and rules.net_total(order.items, order.discounts) != total.minor:
        changes |= {"items": [], "discounts": []}  # the planned items do not match the total
    if request.end_location:
        changes["end_location"] = request.end_location
    order.complete(total, at=at, **changes)
    order.record("completed", by=by, at=at, total=total.minor)
    deltas = [delta_for(order, held_minor=-order.ceiling_minor, outstanding_minor=total.minor, open_orders=-1)]
    events = [order_event(order, "order.completed", due_at=due_at)]
    if total:
        record_all([_build_obligation(order, due_at)], "owed", by=by, at=at)
        pause_if_reported(order, at=at)
    else:
        deltas.append(finish_order(order, at=at))
        order.record("deducted", by=by, at=at)
        events.append(order_event(order, "order.deducted"))
    _update_credit(order, deltas, by=by, at=at)
    entries = [JournalEntry(order.id, "completed", rules.completion_moves(total, order.terms), order.id)]
    ledger.post(entries, realm_id=order.realm_id, at=at)
    publish_events(events, realm_id=order.realm_id, at=at)
    return order


@join_transaction()
def cancel_order(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """Cancel the order: what is owed is waived and counts as never owed. Idempotent for the same reason.

    Raises:
        NotFound: there is no such order.
        OrderState: it has ended already.
        AlreadyCollected, WrittenOff: money was collected for it; it was written off.
        DeductionInFlight: a deduction is in progress.
        ApprovalRequired: late fees would be waived, or so much is taken off that it needs two members of staff.
    """
    order = Order.objects.locked(order_id)
    if order.state == Order.State.CANCELLED and order.cancel_reason == reason:
        return order
    before = order.state
    if before not in (Order.State.CREATED, Order.State.OPEN, Order.State.COMPLETED, Order.State.OVERDUE):
        raise order_state_refusal(before)
    obligations = lock_uncollected(order)
    principal = owed_principal_of(obligations)
    require_approval(order, sum((row.owed for row in principal), Money(0, order.currency)), by=by)
    delta = delta_for(order)
    if before == Order.State.OPEN:
        delta.held_minor, delta.open_orders = -order.ceiling_minor, -1
    for obligation in principal:
        delta.outstanding_minor -= obligation.owed.minor
    delta.overdue_orders, delta.eased_orders = -(before == Order.State.OVERDUE), -(order.eased_at is not None)
    order.cancel(reason, at=at)
    breach_undone = undo_breach(order)
    order.record("cancelled", by=by, at=at, reason=reason)
    waiver_events = waive_obligations(principal, by=by, at=at)
    fees, fee_events = waive_late_fees(order, obligations, by=by, at=at)
    _update_credit(order, [delta, *fees, *breach_undone], by=by, at=at)
    if order.total:
        moves = rules.reduction_moves(order.total, order.total, order.terms)
        ledger.post([JournalEntry(order.id, "cancelled", moves, order.id)], realm_id=order.realm_id, at=at)
    events = [order_event(order, "order.cancelled", reason=reason), *waiver_events, *fee_events]
    publish_events(events, realm_id=order.realm_id, at=at)
    return order


@join_transaction()
def reduce_total(order_id: UUID, total: int, reason: str, *, by: Actor, at: datetime) -> Order:
    """Reduce the total after completion. The same total again changes nothing.

    If the total becomes zero, nothing was ever owed and a recorded breach is undone.

    Raises:
        NotFound, OrderState: there is no such order; it is not completed or overdue.
        TotalRaised: the new total is higher.
        AlreadyCollected, WrittenOff: more than that was collected already; it was written off.
        DeductionInFlight: a deduction is in progress.
        ApprovalRequired: late fees would be waived, or so much is taken off that it needs two members of staff.
    """
    order = Order.objects.locked(order_id)
    if order.total_minor == total and order.state in (Order.State.COMPLETED, Order.State.OVERDUE, Order.State.DEDUCTED):
        return order
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise order_state_refusal(order.state)
    if total > order.total.minor:
        raise TotalRaised(format_lazy(_("The total is {total}."), total=str(order.total)))
    obligations = lock_changeable(order)
    principal = principal_of(obligations)
    if total < sum(obligation.paid_minor for obligation in principal):
        raise AlreadyCollected(_("More than that was collected already; refund the difference."))
    before = order.total
    require_approval(order, before - Money(total, order.currency), by=by)
    order.reduce_total(Money(total, order.currency))
    breach_undone = [] if total else undo_breach(order)
    line = order.record("modified", by=by, at=at, total=total, reason=reason)
    reduction_events = reduce_obligations(principal, before.minor - total, by=by, at=at)
    fees, waiver_events = waive_late_fees(order, [] if total else obligations, by=by, at=at)
    deltas = [delta_for(order, outstanding_minor=total - before.minor), *fees, *breach_undone]
    events = [order_event(order, "order.modified", reason=reason), *reduction_events, *waiver_events]
    changes, state_events = record_order_state(order, obligations, by=by, at=at)
    _update_credit(order, [*deltas, *changes], by=by, at=at)
    kept = before - order.refunded + Money(order.platform_funded_minor, order.currency)
    moves = rules.reduction_moves(before - order.total, kept, order.terms)
    ledger.post([JournalEntry(line.id, "modified", moves, order.id)], realm_id=order.realm_id, at=at)
    publish_events([*events, *state_events], realm_id=order.realm_id, at=at)
    return order


@join_transaction()
def mark_paid(order_id: UUID, paid_at: datetime | None, reference: str, *, by: Actor, at: datetime) -> Order:
    """Mark the order as paid outside the platform: nothing is owed through us any more. Idempotent.

    Without `paid_at` it is paid as of now. If it was paid before it became overdue the promise counts as kept, however
    late the merchant reports it.

    Raises:
        NotFound: there is no such order.
        OrderState: it is not completed or overdue, or was paid under this reference at another time.
        AlreadyCollected, WrittenOff: money was collected for it; it was written off.
        DeductionInFlight: a deduction is in progress.
        ApprovalRequired: late fees would be waived, or so much is taken off that it needs two members of staff.
        TimesInvalid: paid in the future, or before the minute in which the order was created.
    """
    order = Order.objects.locked(order_id)
    earlier_event = order.history.filter(kind="paid_elsewhere").first()
    if earlier_event is not None and earlier_event.data.get("reference") == reference:
        earlier_paid_at = datetime.fromisoformat(earlier_event.data["paid_at"])
        if paid_at not in (None, earlier_paid_at):
            text = _("Under this reference it was marked as paid at {paid_at}.")
            raise OrderState(format_lazy(text, paid_at=earlier_paid_at.isoformat()))
        return order
    paid_at = resolve_paid_at(order, paid_at, at=at)
    if order.state == Order.State.DEDUCTED:
        raise AlreadyCollected(_("It was marked as paid before, under another reference.") if earlier_event else "")
    if order.state not in (Order.State.COMPLETED, Order.State.OVERDUE):
        raise order_state_refusal(order.state)
    obligations = lock_uncollected(order)
    principal = owed_principal_of(obligations)
    owed = sum(obligation.owed.minor for obligation in principal)
    require_approval(order, Money(owed, order.currency), by=by)
    for obligation in principal:
        obligation.mark_paid()
    record_all(principal, "paid_elsewhere", by=by, at=at)
    fees, fee_events = waive_late_fees(order, obligations, by=by, at=at)
    breach_undone = undo_breach(order) if order.overdue_at and paid_at < order.overdue_at else []
    deltas = [delta_for(order, outstanding_minor=-owed), *fees, *breach_undone, finish_order(order, at=at)]
    order.record("paid_elsewhere", by=by, at=at, reference=reference, paid_at=paid_at)
    _update_credit(order, deltas, by=by, at=at)
    entries = [JournalEntry(order.id, "paid_elsewhere", rules.paid_elsewhere_moves(order.total, order.terms), order.id)]
    ledger.post(entries, realm_id=order.realm_id, at=at)
    publish_events(
        [*ended_events(principal), *fee_events, order_event(order, "order.deducted", paid_elsewhere=True)],
        realm_id=order.realm_id,
        at=at,
    )
    return order


def _build_obligation(order: Order, due_at: datetime) -> Obligation:
    return Obligation(
        realm_id=order.realm_id,
        order=order,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        currency=order.currency,
        amount_minor=order.total.minor,
        due_at=due_at,
        overdue_from=due_at + order.grace,
        collect_at=due_at,
        plan=[{"at": due_at.isoformat(), "instrument": None, "reason": "due"}],
    )


def _update_credit(order: Order, deltas: Sequence[ProfileDelta], *, by: Actor, at: datetime) -> None:
    """Apply the deltas to the profile, and release the agreement if the order has ended."""
    apply_deltas(deltas, at=at)
    if order.state in (Order.State.DEDUCTED, Order.State.CANCELLED):
        credit.remove_live_orders([order.agreement_id], by=by, at=at)
