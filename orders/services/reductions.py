"""Reduce what is owed: lock what may be changed, waive or reduce obligations, and build their events."""

from collections.abc import Sequence
from datetime import datetime

from credit.usage import ProfileDelta
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import ApprovalRequired
from ledger import services as ledger
from ledger.services import JournalEntry
from merchants.services import NewEvent
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import AlreadyCollected, DeductionInFlight, WrittenOff
from orders.services.events import obligation_event
from orders.services.promises import delta_for


def lock_changeable(order: Order) -> list[Obligation]:
    """The obligations of the order, locked; none of them in flight or written off."""
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for obligation in obligations:
        obligation.order = order
    if any(obligation.in_flight for obligation in obligations):
        raise DeductionInFlight(retry_after=5)
    if any(obligation.state == Obligation.State.WRITTEN_OFF for obligation in obligations):
        raise WrittenOff
    return obligations


def lock_uncollected(order: Order) -> list[Obligation]:
    """The same, if nothing of the order was ever collected."""
    obligations = lock_changeable(order)
    if any(obligation.paid_minor for obligation in obligations):
        raise AlreadyCollected
    return obligations


def principal_of(rows: list[Obligation]) -> list[Obligation]:
    """The principal obligations, without late fees."""
    return [row for row in rows if row.kind == Obligation.Kind.PRINCIPAL]


def owed_principal_of(rows: list[Obligation]) -> list[Obligation]:
    """The principal obligations that are still owed; instalments may have been waived by an earlier reduction."""
    return [row for row in principal_of(rows) if row.state in Obligation.OWED]


def waive_obligations(obligations: Sequence[Obligation], *, by: Actor, at: datetime) -> list[NewEvent]:
    """Waive all of these obligations."""
    for obligation in obligations:
        obligation.waive()
    record_all(obligations, "waived", by=by, at=at)
    return ended_events(obligations)


def reduce_obligations(
    obligations: Sequence[Obligation], reduction_minor: int, *, by: Actor, at: datetime
) -> list[NewEvent]:
    """Take `reduction_minor` off what is owed, starting with the last obligation."""
    changed = []
    for obligation in sorted(obligations, key=lambda o: -o.sequence):
        part = min(reduction_minor, obligation.owed.minor)
        reduction_minor -= part
        if not part:
            continue
        changed.append(obligation)
        if part == obligation.owed.minor and not obligation.paid_minor:
            obligation.waive()
            obligation.record("waived", by=by, at=at)
            continue
        obligation.reduce_to(Money(obligation.amount_minor - part, obligation.currency))
        if not obligation.owed:
            obligation.mark_paid()
        obligation.record("lowered", by=by, at=at, amount=obligation.amount_minor)
    return ended_events(changed)


def waive_late_fees(
    order: Order, rows: Sequence[Obligation], *, include_written_off: bool = False, by: Actor, at: datetime
) -> tuple[list[ProfileDelta], list[NewEvent]]:
    """Waive the late fees among an order's locked obligations. Returns the profile changes and the events.

    A partly paid late fee is reduced to what was paid. One that was written off is no loss any more.

    Raises:
        ApprovalRequired: there are late fees, and waiving them needs two members of staff.
    """
    waivable = Obligation.PAYABLE if include_written_off else Obligation.OWED
    fees = [row for row in rows if row.kind == Obligation.Kind.LATE_FEE and row.state in waivable]
    if fees and by.is_unapproved_staff:
        raise ApprovalRequired
    moves = [
        rules.fee_waiver_moves(row.owed, order.terms, is_written_off=row.state not in Obligation.OWED) for row in fees
    ]
    # What was written off is not outstanding any more.
    deltas = [delta_for(order, outstanding_minor=-row.owed.minor) for row in fees if row.state in Obligation.OWED]
    for row in fees:
        row.order = order
        _waive_fee(row)
    lines = record_all(fees, "waived", by=by, at=at)
    entries = [
        JournalEntry(line.id, "late_fee_waived", fee_moves, order.id)
        for line, fee_moves in zip(lines, moves, strict=True)
    ]
    ledger.post(entries, realm_id=order.realm_id, at=at)
    return deltas, ended_events(fees)


def _waive_fee(row: Obligation) -> None:
    """Waive an unpaid late fee, or reduce a partly paid one to what was paid."""
    if row.paid_minor:
        row.reduce_to(row.paid)
        row.mark_paid()
    elif row.state == Obligation.State.WRITTEN_OFF:
        row.waive_written_off()
    else:
        row.waive()


def ended_events(obligations: Sequence[Obligation]) -> list[NewEvent]:
    """The events of those obligations that have ended, in the order of their sequence."""
    events = {Obligation.State.PAID: "obligation.paid", Obligation.State.WAIVED: "obligation.waived"}
    return [
        obligation_event(row, events[Obligation.State(row.state)])
        for row in sorted(obligations, key=lambda row: row.sequence)
        if row.state in events
    ]
