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
    order: Order, rows: Sequence[Obligation], *, by: Actor, at: datetime
) -> tuple[list[ProfileDelta], list[NewEvent]]:
    """Waive the late fees among an order's locked obligations. Returns the profile changes and the events.

    A partly paid late fee is reduced to what was paid.

    Raises:
        ApprovalRequired: there are late fees, and waiving them needs two members of staff.
    """
    fees = [row for row in rows if row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.OWED]
    if fees and by.is_unapproved_staff:
        raise ApprovalRequired
    owed = [row.owed for row in fees]
    for row in fees:
        row.order = order
        if row.paid_minor:
            row.reduce_to(row.paid)
            row.mark_paid()
        else:
            row.waive()
    lines = record_all(fees, "waived", by=by, at=at)
    entries = [
        JournalEntry(line.id, "late_fee_waived", rules.fee_waiver_moves(fee, order.terms), order.id)
        for line, fee in zip(lines, owed, strict=True)
    ]
    ledger.post(entries, realm_id=order.realm_id, at=at)
    return [delta_for(order, outstanding_minor=-fee.minor) for fee in owed], ended_events(fees)


def ended_events(obligations: Sequence[Obligation]) -> list[NewEvent]:
    """The events of those obligations that have ended, in the order of their sequence."""
    events = {Obligation.State.PAID: "obligation.paid", Obligation.State.WAIVED: "obligation.waived"}
    return [
        obligation_event(row, events[Obligation.State(row.state)])
        for row in sorted(obligations, key=lambda row: row.sequence)
        if row.state in events
    ]
