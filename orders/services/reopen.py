"""A channel takes back what it had collected: what was paid is owed again, or somebody else bears it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from credit import services as credit
from credit.used import Delta, change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.transactions import joined
from ledger import services as ledger
from ledger.rules import DISPUTED, LATE_FEES, LOSSES, Account, Move
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight
from orders.services.pause import hold_reported
from orders.services.promise import change_for
from orders.services.tell import news_of, tell

#: The posting of what is owed again, and of what somebody else bears.
OWED_AGAIN, BORNE = "owed_again", "dispute_lost"


@dataclass(frozen=True, slots=True)
class TakenBack:
    """So much of what was paid for an obligation is gone; of its order `kept` had stayed before. `cause` did it."""

    obligation_id: UUID
    amount: Money
    kept: Money
    cause: UUID


def reopenable(obligation_ids: Collection[UUID]) -> bool:
    """Whether all of this can be owed again: nothing of it was ever given up as lost."""
    rows = Obligation.objects.filter(pk__in=obligation_ids)
    return not rows.filter(order__obligations__written_off_minor__gt=0).exists()


@joined()
def owe_again(gone: Sequence[TakenBack], *, by: Actor, at: datetime) -> None:
    """What was paid of these obligations is owed again, at once, and their orders are overdue.

    Nothing is planned for it: the person may pay at any time, and is not debited again by itself. So a part that was
    paid of what is still owed stands beside that, due when it is, while the rest keeps its plan.

    Raises:
        DeductionInFlight: something of these orders is being collected.
    """
    orders, rows = _lock(gone)
    if any(row.in_flight for row in rows.values()):
        raise DeductionInFlight(retry_after=30)
    whole, part, beside = _reopened(gone, rows, at=at)
    deltas = [
        Delta(rows[one.obligation_id].person_id, one.amount.currency, outstanding_minor=one.amount.minor)
        for one in gone
    ]
    fallen = [orders[key] for key in sorted({row.order_id for row in whole})]
    fallen = [order for order in fallen if order.state != Order.State.OVERDUE]
    again = [order.agreement_id for order in fallen if order.state == Order.State.DEDUCTED]
    for order in fallen:
        deltas.append(broken(order))
        order.owe_again(at=at)
    _stand_still([*whole, *part, *beside], at=at)
    for changed, kind in ((whole, "owed_again"), (part, "owed_more"), (beside, "owed_again")):
        record_all(changed, kind, by=by, at=at)
    record_all(fallen, "owed_again", by=by, at=at)
    change_profiles(deltas, at=at)
    credit.rejoin_orders(again)
    facts = [Fact(one.cause, OWED_AGAIN, _again(rows[one.obligation_id], one), _order(rows, one)) for one in gone]
    realm_id = next(iter(orders.values())).realm_id
    ledger.post(facts, realm_id=realm_id, at=at)
    tell([news_of(order, "order.overdue") for order in fallen], realm_id=realm_id, at=at)
    for order in orders.values():
        hold_reported(order, at=at)


@joined()
def bear(gone: Sequence[TakenBack], *, ours: bool, by: Actor, at: datetime, dispute: str) -> None:
    """The person has their money back and owes nothing: the merchant bears it, or we do (`ours`)."""
    orders, rows = _lock(gone)
    back: dict[Order, int] = {}
    for one in gone:
        row = rows[one.obligation_id]
        if row.kind == Obligation.Kind.PRINCIPAL:
            back[row.order] = back.get(row.order, 0) + one.amount.minor
    for order, minor in back.items():
        order.give_back(Money(minor, order.currency), ours=ours)
    told: list[dict[str, Any]] = [{"amount": minor, "dispute": dispute} for minor in back.values()]
    record_all(list(back), "taken_back", by=by, at=at, data=told)
    facts = [Fact(one.cause, BORNE, _borne(rows[one.obligation_id], one, ours=ours), _order(rows, one)) for one in gone]
    ledger.post(facts, realm_id=next(iter(orders.values())).realm_id, at=at)


def _lock(gone: Sequence[TakenBack]) -> tuple[dict[UUID, Order], dict[UUID, Obligation]]:
    """The orders that these were paid for, locked, and after them their obligations."""
    named = Obligation.objects.filter(pk__in=[one.obligation_id for one in gone]).values_list("order_id", flat=True)
    orders = {order.id: order for order in Order.objects.locked_all(set(named))}
    of_them = Obligation.objects.select_related("person").filter(order_id__in=orders)
    rows = {row.id: row for row in of_them.select_for_update(of=("self",), no_key=True).order_by("pk")}
    for row in rows.values():
        row.order = orders[row.order_id]
    return orders, rows


def _reopened(
    gone: Sequence[TakenBack], rows: Mapping[UUID, Obligation], *, at: datetime
) -> tuple[list[Obligation], list[Obligation], list[Obligation]]:
    """What had been paid and is owed again; what is owed still, and more or less of it; and what stands beside it."""
    whole, part, beside = [], [], []
    last = _last_numbers(rows.values())
    for one in gone:
        row = rows[one.obligation_id]
        if row.state == Obligation.State.PAID:
            ages = row.kind in Obligation.AGEING
            row.owe_again(one.amount, day_end_at=rules.next_midnight(at, row.person.zone) if ages else None)
            whole.append(row)
        elif row.by_hand:
            row.owe_more(one.amount)
            part.append(row)
        else:
            last[row.order_id] += 1
            row.part_with(one.amount)
            part.append(row)
            beside.append(_beside(row, one.amount, last[row.order_id]))
    return whole, part, beside


def _last_numbers(rows: Iterable[Obligation]) -> dict[UUID, int]:
    """The last number that each order has given to one of its obligations."""
    last: dict[UUID, int] = {}
    for row in rows:
        last[row.order_id] = max(row.sequence, last.get(row.order_id, 0))
    return last


def _beside(row: Obligation, amount: Money, sequence: int) -> Obligation:
    """So much of the same debt, as old and as late as it, for its person's own hand."""
    return Obligation(
        realm_id=row.realm_id,
        order=row.order,
        merchant_id=row.merchant_id,
        person_id=row.person_id,
        sequence=sequence,
        kind=row.kind,
        currency=row.currency,
        amount_minor=amount.minor,
        state=row.state,
        due_at=row.due_at,
        overdue_from=row.overdue_from,
        by_hand=True,
        paused_at=row.paused_at,
        overdue_left=row.overdue_left,
        day_end_at=row.day_end_at,
        overdue_days=row.overdue_days,
        grace_days=row.grace_days,
        bucket=row.bucket,
    )


def _order(rows: dict[UUID, Obligation], one: TakenBack) -> UUID:
    return rows[one.obligation_id].order_id


def broken(order: Order) -> Delta:
    """What it does to the person's record: a promise that counted as kept was not; one is broken once."""
    again = order.state == Order.State.DEDUCTED
    first = order.overdue_at is None
    return change_for(
        order,
        overdue_orders=1,
        kept_orders=-1 if again and first else 0,
        breached_orders=1 if first else 0,
        eased_orders=1 if again and order.eased_at else 0,
        score_step="breached" if first else "uncleared" if again else "",
        order_id=order.id,
    )


def _stand_still(rows: Sequence[Obligation], *, at: datetime) -> None:
    """Where a reason still holds an order's clock, what is owed of it again stands still too."""
    for row in rows:
        if row.paused_at is None and row.order.pauses.filter(ended_at__isnull=True).exists():
            row.stand_still(at=at)


def _again(row: Obligation, one: TakenBack) -> list[Move]:
    if row.kind != Obligation.Kind.PRINCIPAL:
        return [Move(row.order.terms.person, DISPUTED, one.amount)]
    return rules.owed_again_moves(one.amount, one.kept, row.order.terms)


def _borne(row: Obligation, one: TakenBack, *, ours: bool) -> list[Move]:
    bearer: Account = LATE_FEES if row.kind == Obligation.Kind.LATE_FEE else LOSSES
    if ours or row.kind != Obligation.Kind.PRINCIPAL:
        return [Move(bearer, DISPUTED, one.amount)]
    return rules.charged_moves(one.amount, one.kept, row.order.terms)
