"""Add a day's late fees to the late fee obligations of orders, and book them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from credit.usage import ProfileDelta, apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from ledger import services as ledger
from ledger.services import JournalEntry
from orders import rules
from orders.late_fee_lead import lead_obligation
from orders.models import Obligation

DAY_END = Actor.system("day_end")


def lead_obligations_of(rows: Sequence[Obligation]) -> dict[tuple[UUID, bool], Obligation]:
    """For each order the debt its late fee is collected with; separately for debts that only the person can pay."""
    overdue: dict[tuple[UUID, bool], list[Obligation]] = {}
    for row in rows:
        if row.kind == Obligation.Kind.PRINCIPAL and row.state == Obligation.State.OVERDUE:
            overdue.setdefault((row.order_id, row.by_hand), []).append(row)
    return {key: lead_obligation(debts) for key, debts in overdue.items()}


def accrue_late_fees(
    accrued: dict[Obligation, Money],
    lead_obligations: Mapping[tuple[UUID, bool], Obligation],
    late_fees: dict[tuple[UUID, bool], Obligation],
    last_sequence: dict[UUID, int],
    *,
    at: datetime,
) -> None:
    """Add the day's late fees to the late fee obligations and book them as income.

    Each order has one late fee obligation, and a second one for debts that only the person can pay. It is collected
    together with its lead obligation.
    """
    if not accrued:
        return
    new, increased = [], []
    sums: dict[tuple[UUID, bool], Money] = {}
    for row, amount in accrued.items():
        total = sums.get((row.order_id, row.by_hand), Money(0, amount.currency))
        sums[row.order_id, row.by_hand] = total + amount
    for key, amount in sums.items():
        fee, row = late_fees.get(key), lead_obligations[key]
        if fee is None:
            last_sequence[row.order_id] += 1
            fee = late_fees[key] = _build_late_fee(row, amount, sequence=last_sequence[row.order_id])
            new.append((fee, amount))
        else:
            fee.accrue(amount)
            increased.append((fee, amount))
        fee.plan = row.plan
        fee.schedule_next()
    entries = []
    for group in (new, increased):
        lines = record_all(
            [fee for fee, _ in group], "accrued", by=DAY_END, at=at, data=[{"fee": amount.minor} for _, amount in group]
        )
        for line, (fee, amount) in zip(lines, group, strict=True):
            entries.append(
                JournalEntry(line.id, "late_fee", rules.accrual_moves(amount, fee.order.terms), fee.order_id)
            )
    deltas = [
        ProfileDelta(fee.person_id, fee.currency, outstanding_minor=amount.minor) for fee, amount in (*new, *increased)
    ]
    apply_deltas(deltas, at=at)
    ledger.post(entries, realm_id=new[0][0].realm_id if new else increased[0][0].realm_id, at=at)


def _build_late_fee(row: Obligation, amount: Money, *, sequence: int) -> Obligation:
    """The late fee obligation of an order, created on the first day a fee accrues."""
    order = row.order
    return Obligation(
        realm_id=order.realm_id,
        order=order,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        kind=Obligation.Kind.LATE_FEE,
        sequence=sequence,
        currency=order.currency,
        amount_minor=amount.minor,
        state=Obligation.State.OVERDUE,
        due_at=row.due_at,
        by_hand=row.by_hand,
    )
