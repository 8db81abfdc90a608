"""What a day's late fees come to is owed beside the debts that they are for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from credit.used import Delta, change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from ledger import services as ledger
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, leading

DAY_END = Actor.system("day_end")


def leads_of(rows: Sequence[Obligation]) -> dict[tuple[UUID, bool], Obligation]:
    """With which debt of each order its late fee is collected, and with which of those left to their person's hand."""
    late: dict[tuple[UUID, bool], list[Obligation]] = {}
    for row in rows:
        if row.kind == Obligation.Kind.PRINCIPAL and row.state == Obligation.State.OVERDUE:
            late.setdefault((row.order_id, row.by_hand), []).append(row)
    return {beside: leading(debts) for beside, debts in late.items()}


def accrue(
    accrued: dict[Obligation, Money],
    leads: Mapping[tuple[UUID, bool], Obligation],
    fees: dict[tuple[UUID, bool], Obligation],
    last: dict[UUID, int],
    *,
    at: datetime,
) -> None:
    """The day's late fees are owed beside the debts they are for, and booked as income.

    Of one order that is one obligation, and another for the debts that are left to their person's own hand. It is
    collected with the one of them that leads.
    """
    if not accrued:
        return
    new, more = [], []
    sums: dict[tuple[UUID, bool], Money] = {}
    for row, amount in accrued.items():
        so_far = sums.get((row.order_id, row.by_hand), Money(0, amount.currency))
        sums[row.order_id, row.by_hand] = so_far + amount
    for beside, amount in sums.items():
        fee, row = fees.get(beside), leads[beside]
        if fee is None:
            last[row.order_id] += 1
            fee = fees[beside] = _fee(row, amount, sequence=last[row.order_id])
            new.append((fee, amount))
        else:
            fee.accrue(amount)
            more.append((fee, amount))
        fee.plan = row.plan
        fee.wait_for_next()
    facts = []
    for group in (new, more):
        lines = record_all(
            [fee for fee, _ in group], "accrued", by=DAY_END, at=at, data=[{"fee": amount.minor} for _, amount in group]
        )
        for line, (fee, amount) in zip(lines, group, strict=True):
            facts.append(Fact(line.id, "late_fee", rules.accrual_moves(amount, fee.order.terms), fee.order_id))
    deltas = [Delta(fee.person_id, fee.currency, outstanding_minor=amount.minor) for fee, amount in (*new, *more)]
    change_profiles(deltas, at=at)
    ledger.post(facts, realm_id=new[0][0].realm_id if new else more[0][0].realm_id, at=at)


def _fee(row: Obligation, amount: Money, *, sequence: int) -> Obligation:
    """The late fee of an order: one obligation beside the debt, from its first day of fees on."""
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
