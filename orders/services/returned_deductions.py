"""Deductions returned by a channel: reopen the debts they paid, or assign the loss to the merchant or to us."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from credit import services as credit
from credit.usage import ProfileDelta, apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.transactions import join_transaction
from ledger import services as ledger
from ledger.accounts import DISPUTED, LATE_FEES, LOSSES, Account, Move
from ledger.services import JournalEntry
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight
from orders.services.events import order_event, publish_events
from orders.services.pauses import pause_if_reported
from orders.services.promises import delta_for

#: Posting kinds of the two outcomes.
OWED_AGAIN, LOSS_ASSIGNED = "owed_again", "dispute_lost"


@dataclass(frozen=True, slots=True)
class ReturnedAmount:
    """The part of an obligation's payment that was returned. `kept`: what the order had kept of its payments before.
    `cause`: the posting's cause.
    """

    obligation_id: UUID
    amount: Money
    kept: Money
    cause: UUID


def can_reopen(obligation_ids: Collection[UUID]) -> bool:
    """Whether these debts can be reopened: nothing of their orders was written off."""
    rows = Obligation.objects.filter(pk__in=obligation_ids)
    return not rows.filter(order__obligations__written_off_minor__gt=0).exists()


@join_transaction()
def reopen_debts(returned: Sequence[ReturnedAmount], *, by: Actor, at: datetime) -> None:
    """Reopen these debts at once: the returned amounts are owed again and their orders are overdue.

    The person may pay at any time; nothing is deducted automatically. If the obligation is still partly owed, the
    returned part becomes an obligation of its own with the same due date, and the rest keeps its plan.

    Raises:
        DeductionInFlight: something of these orders is being collected.
    """
    orders, rows = _lock(returned)
    if any(row.in_flight for row in rows.values()):
        raise DeductionInFlight(retry_after=30)
    reopened, changed_rows, split_off = _reopen_rows(returned, rows, at=at)
    deltas = [
        ProfileDelta(rows[item.obligation_id].person_id, item.amount.currency, outstanding_minor=item.amount.minor)
        for item in returned
    ]
    newly_overdue = [orders[key] for key in sorted({row.order_id for row in reopened})]
    newly_overdue = [order for order in newly_overdue if order.state != Order.State.OVERDUE]
    reopened_agreements = [order.agreement_id for order in newly_overdue if order.state == Order.State.DEDUCTED]
    for order in newly_overdue:
        deltas += breach_deltas(order)
        order.reopen(at=at)
    _pause_if_order_paused([*reopened, *changed_rows, *split_off], at=at)
    for changed, kind in ((reopened, "owed_again"), (changed_rows, "owed_more"), (split_off, "owed_again")):
        record_all(changed, kind, by=by, at=at)
    record_all(newly_overdue, "owed_again", by=by, at=at)
    apply_deltas(deltas, at=at)
    credit.restore_live_orders(reopened_agreements)
    entries = [
        JournalEntry(item.cause, OWED_AGAIN, _reopen_moves(rows[item.obligation_id], item), _order_id_of(rows, item))
        for item in returned
    ]
    realm_id = next(iter(orders.values())).realm_id
    ledger.post(entries, realm_id=realm_id, at=at)
    publish_events([order_event(order, "order.overdue") for order in newly_overdue], realm_id=realm_id, at=at)
    for order in orders.values():
        pause_if_reported(order, at=at)


@join_transaction()
def assign_loss(
    returned: Sequence[ReturnedAmount], *, platform_liable: bool, by: Actor, at: datetime, dispute: str
) -> None:
    """The person keeps the returned money and owes nothing: charge the merchant, or us if `platform_liable`."""
    orders, rows = _lock(returned)
    refunded: dict[Order, int] = {}
    for item in returned:
        row = rows[item.obligation_id]
        if row.kind == Obligation.Kind.PRINCIPAL:
            refunded[row.order] = refunded.get(row.order, 0) + item.amount.minor
    for order, minor in refunded.items():
        order.add_refund(Money(minor, order.currency), platform_liable=platform_liable)
    data: list[dict[str, Any]] = [{"amount": minor, "dispute": dispute} for minor in refunded.values()]
    record_all(list(refunded), "taken_back", by=by, at=at, data=data)
    entries = [
        JournalEntry(
            item.cause,
            LOSS_ASSIGNED,
            _loss_moves(rows[item.obligation_id], item, platform_liable=platform_liable),
            _order_id_of(rows, item),
        )
        for item in returned
    ]
    ledger.post(entries, realm_id=next(iter(orders.values())).realm_id, at=at)


def _lock(returned: Sequence[ReturnedAmount]) -> tuple[dict[UUID, Order], dict[UUID, Obligation]]:
    """The orders of these amounts, locked, and after them all their obligations."""
    order_ids = Obligation.objects.filter(pk__in=[item.obligation_id for item in returned]).values_list(
        "order_id", flat=True
    )
    orders = {order.id: order for order in Order.objects.locked_all(set(order_ids))}
    obligations = Obligation.objects.select_related("person").filter(order_id__in=orders)
    rows = {row.id: row for row in obligations.select_for_update(of=("self",), no_key=True).order_by("pk")}
    for row in rows.values():
        row.order = orders[row.order_id]
    return orders, rows


def _reopen_rows(
    returned: Sequence[ReturnedAmount], rows: Mapping[UUID, Obligation], *, at: datetime
) -> tuple[list[Obligation], list[Obligation], list[Obligation]]:
    """Reopen each obligation: those that were paid in full, those reduced or increased, and those split off from
    others.
    """
    reopened, changed, split_off = [], [], []
    last_sequence = _last_sequences(rows.values())
    for item in returned:
        row = rows[item.obligation_id]
        if row.state == Obligation.State.PAID:
            ages = row.kind in Obligation.AGEING
            row.reopen(item.amount, day_end_at=rules.next_midnight(at, row.person.zone) if ages else None)
            reopened.append(row)
        elif row.by_hand:
            row.reopen_part(item.amount)
            changed.append(row)
        else:
            last_sequence[row.order_id] += 1
            row.split_off(item.amount)
            changed.append(row)
            split_off.append(_build_split(row, item.amount, last_sequence[row.order_id]))
    return reopened, changed, split_off


def _last_sequences(rows: Iterable[Obligation]) -> dict[UUID, int]:
    """The highest sequence of each order's obligations."""
    sequences: dict[UUID, int] = {}
    for row in rows:
        sequences[row.order_id] = max(row.sequence, sequences.get(row.order_id, 0))
    return sequences


def _build_split(row: Obligation, amount: Money, sequence: int) -> Obligation:
    """The returned part as a new obligation with the same age and state, which only the person can pay."""
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


def _order_id_of(rows: dict[UUID, Obligation], item: ReturnedAmount) -> UUID:
    return rows[item.obligation_id].order_id


def breach_deltas(order: Order) -> list[ProfileDelta]:
    """The profile changes: a promise counted as kept was not, and its points are withdrawn; a breach is recorded once
    per order.
    """
    was_deducted = order.state == Order.State.DEDUCTED
    is_first = order.overdue_at is None
    breach = delta_for(
        order,
        overdue_orders=1,
        breached_orders=1 if is_first else 0,
        eased_orders=1 if was_deducted and order.eased_at else 0,
        score_step="breached" if is_first else "uncleared" if was_deducted else "",
        order_id=order.id,
    )
    if not (was_deducted and is_first and order.total):
        return [breach]
    return [delta_for(order, kept_orders=-1, score_step="unkept", order_id=order.id), breach]


def _pause_if_order_paused(rows: Sequence[Obligation], *, at: datetime) -> None:
    """Pause reopened debts whose order is paused."""
    for row in rows:
        if row.paused_at is None and row.order.pauses.filter(ended_at__isnull=True).exists():
            row.pause(at=at)


def _reopen_moves(row: Obligation, item: ReturnedAmount) -> list[Move]:
    if row.kind != Obligation.Kind.PRINCIPAL:
        return [Move(row.order.terms.receivable, DISPUTED, item.amount)]
    return rules.owed_again_moves(item.amount, item.kept, row.order.terms)


def _loss_moves(row: Obligation, item: ReturnedAmount, *, platform_liable: bool) -> list[Move]:
    loss_account: Account = LATE_FEES if row.kind == Obligation.Kind.LATE_FEE else LOSSES
    if platform_liable or row.kind != Obligation.Kind.PRINCIPAL:
        return [Move(loss_account, DISPUTED, item.amount)]
    return rules.merchant_loss_moves(item.amount, item.kept, row.order.terms)
