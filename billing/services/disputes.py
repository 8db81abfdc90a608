"""A channel takes money back: it is noted at once, heard against where the channel hears, and borne by somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from billing import rules
from billing.models import Case, Deduction, DeductionLine, Dispute, DisputeLine, Refund
from billing.refusals import DisputeClosed, EvidenceInvalid
from billing.services import tell
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from kernel.refusal import Busy
from kernel.writes import insert_all, update_all
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish
from orders import services as orders
from orders.models import Obligation, Order

log = structlog.get_logger(__name__)
TAKEN_BACK, GIVEN_WAY = "taken_back", "dispute_won"
#: Cases of money that a channel took back and that was not there: it stands in suspense.
NEVER_TAKEN, WRONG_AMOUNT = "taken_back_untaken", "taken_back_wrong_amount"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a channel says: by this movement of its own it took so much of a debit back, and why."""

    txn: str
    amount: Money
    code: str


@transaction.atomic
def take_back(deduction_id: UUID, told: Withdrawal, *, by: Actor, at: datetime) -> Dispute | None:
    """A channel has taken a debit back. Where its word is final somebody bears it at once. The same again is nothing.

    Raises:
        NotFound: there is no such deduction.
        Busy: the deduction, or a refund or another debit of its orders, has no outcome yet; the channel says it again.
    """
    row = Deduction.objects.locked(deduction_id)
    known = Dispute.objects.filter(channel=row.channel, channel_txn=told.txn).first()
    if known is not None:
        return known
    if row.state in Deduction.LIVE:
        raise Busy(retry_after=30)
    if row.state != Deduction.State.SUCCEEDED:
        _stray(row, told, NEVER_TAKEN, at=at)
        return None
    every = _lock(row)
    Order.objects.lock_all({line.order_id for line in every})
    _refuse_in_flight([line.order_id for line in every])
    lines = [line for line in every if line.deduction_id == row.id and line.kept_minor]
    if told.amount != Money(sum(line.kept_minor for line in lines), row.currency):
        _stray(row, told, WRONG_AMOUNT, at=at)
        return None
    bearer, heard = rules.TAKEN_BACK.get(told.code, rules.TAKEN_BACK_OTHERWISE)
    respond_by = at + rules.ANSWER_WITHIN if heard else None
    dispute = Dispute(
        realm_id=row.realm_id,
        person_id=row.person_id,
        deduction=row,
        channel=row.channel,
        channel_txn=told.txn,
        code=told.code[:40],
        currency=row.currency,
        amount_minor=told.amount.minor,
        bearer=bearer,
        opened_at=at,
        respond_by=respond_by,
        act_at=respond_by,
    )
    dispute.record("opened", by=by, at=at, code=told.code)
    _hold(dispute, lines)
    move = book.Move(book.DISPUTED, book.clearing(row.channel), told.amount)
    ledger.post([ledger.Fact(dispute.id, TAKEN_BACK, [move])], realm_id=row.realm_id, at=at)
    _publish(dispute, "dispute.opened", at=at)
    if not heard:
        lose(dispute, bearer, by=by, at=at)
    return dispute


@transaction.atomic
def contest_dispute(dispute_id: UUID, evidence: str, *, by: Actor, at: datetime) -> Dispute:
    """We say this against it. It is sent to the channel by the next ring; nobody can take it back.

    Raises:
        NotFound: there is no such dispute.
        DisputeClosed: it is over, or was answered already.
        EvidenceInvalid: it says nothing, or too much.
    """
    dispute = Dispute.objects.locked(dispute_id)
    if dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    if not evidence.strip() or len(evidence) > rules.EVIDENCE_MAX:
        raise EvidenceInvalid
    dispute.contest(evidence.strip(), at=at)
    dispute.record("contested", by=by, at=at)
    return dispute


@transaction.atomic
def accept_dispute(dispute_id: UUID, bearer: str, because: str, *, by: Actor, at: datetime) -> Dispute:
    """A colleague gives it up before its time, and says who bears it.

    Raises:
        NotFound: there is no such dispute.
        DisputeClosed: it is over, or the channel is deciding.
        Busy: a refund or a debit of its orders has no outcome yet.
    """
    dispute = hold_dispute(dispute_id)
    if dispute.state != Dispute.State.OPEN:
        raise DisputeClosed
    if bearer != dispute.bearer:
        dispute.be_borne_by(bearer)
        dispute.record("bearer_named", by=by, at=at, bearer=bearer, reason=because)
    lose(dispute, bearer, by=by, at=at, because=because)
    return dispute


@transaction.atomic
def rule_dispute(dispute_id: UUID, *, won: bool, because: str, by: Actor, at: datetime) -> Dispute:
    """A colleague says what a channel decided that does not tell us by itself.

    Raises:
        NotFound: there is no such dispute.
        DisputeClosed: nothing was said against it, or it is over.
        Busy: a refund or a debit of its orders has no outcome yet.
    """
    dispute = hold_dispute(dispute_id)
    if dispute.state != Dispute.State.CONTESTED:
        raise DisputeClosed
    if won:
        win(dispute, by=by, at=at, because=because)
    else:
        lose(dispute, dispute.bearer, by=by, at=at, because=because)
    return dispute


def hold_dispute(dispute_id: UUID) -> Dispute:
    """A dispute, locked after its deduction, as everywhere.

    Raises:
        NotFound: there is none.
    """
    named = Dispute.objects.filter(pk=dispute_id).values_list("deduction_id", flat=True).first()
    if named is not None:
        Deduction.objects.lock_all([named])
    return Dispute.objects.locked(dispute_id)


def win(dispute: Dispute, *, by: Actor, at: datetime, because: str = "") -> None:
    """The channel gave way: what it took back is with it again, and nobody owes anything."""
    lines = _lines_of(dispute)
    for line, amount in lines:
        line.refunded_minor -= amount.minor
    update_all([line for line, _ in lines], ["refunded_minor"])
    dispute.win(at=at)
    dispute.record("won", by=by, at=at, reason=because)
    move = book.Move(book.clearing(dispute.channel), book.DISPUTED, dispute.amount)
    ledger.post([ledger.Fact(dispute.id, GIVEN_WAY, [move])], realm_id=dispute.realm_id, at=at)
    _publish(dispute, "dispute.won", at=at)


def lose(dispute: Dispute, bearer: str, *, by: Actor, at: datetime, because: str = "") -> None:
    """The money is gone for good: owed again by the person, or borne by the merchant or by us.

    A debt that was once given up is not opened again: what is gone of it is our loss.
    """
    pairs = _lines_of(dispute)
    owing = bearer == Dispute.Bearer.PERSON
    if owing and not orders.reopenable([line.obligation_id for line, _ in pairs]):
        bearer, owing = Dispute.Bearer.PLATFORM, False
    gone = _gone(dispute, pairs)
    if owing:
        for line, amount in pairs:
            line.refunded_minor -= amount.minor
            line.reopened_minor += amount.minor
        update_all([line for line, _ in pairs], ["refunded_minor", "reopened_minor"])
    dispute.lose(bearer, at=at)
    dispute.record("lost", by=by, at=at, bearer=bearer, reason=because)
    if owing:
        orders.owe_again(gone, by=by, at=at)
    else:
        ours = bearer == Dispute.Bearer.PLATFORM
        orders.bear(gone, ours=ours, by=by, at=at, dispute=dispute.public_id)
    _refuse_in_flight([line.order_id for line, _ in pairs])
    _publish(dispute, "dispute.lost", at=at)
    if owing:
        tell.taken_back(dispute, at=at)


def _lock(row: Deduction) -> list[DeductionLine]:
    """What was collected of all the orders this deduction was for, oldest first, locked against refunds."""
    of_it = DeductionLine.objects.filter(deduction=row).values("order_id")
    lines = DeductionLine.objects.filter(order_id__in=of_it, deduction__state="succeeded")
    return list(lines.select_related("obligation").select_for_update(of=("self",), no_key=True).order_by("id"))


def _hold(dispute: Dispute, lines: Sequence[DeductionLine]) -> None:
    """What is gone of each line is no longer there to be refunded."""
    insert_all(
        [
            DisputeLine(
                dispute=dispute,
                taken=line,
                order_id=line.order_id,
                merchant_id=line.merchant_id,
                amount_minor=line.kept_minor,
            )
            for line in lines
        ]
    )
    for line in lines:
        line.refunded_minor += line.kept_minor
    update_all(lines, ["refunded_minor"])


def _refuse_in_flight(order_ids: Sequence[UUID]) -> None:
    """While a refund of an order has no outcome, nobody knows what is left to take back of it.

    Raises:
        Busy: there is one.
    """
    if Refund.objects.filter(order_id__in=order_ids, state=Refund.State.PENDING).exists():
        raise Busy(retry_after=30)


def _lines_of(dispute: Dispute) -> list[tuple[DeductionLine, Money]]:
    """The disputed lines and how much of each, locked with all that was collected of their orders."""
    shares = dict(dispute.lines.values_list("taken_id", "amount_minor"))
    lines = [line for line in _lock(dispute.deduction) if line.id in shares]
    return [(line, Money(shares[line.id], dispute.currency)) for line in lines]


def _gone(dispute: Dispute, pairs: Sequence[tuple[DeductionLine, Money]]) -> list[orders.TakenBack]:
    """What the orders are told is gone; the fee is counted from what each order had kept before."""
    causes = dict(dispute.lines.values_list("taken_id", "id"))
    every = DeductionLine.objects.filter(
        order_id__in=[line.order_id for line, _ in pairs], deduction__state="succeeded"
    ).select_related("obligation")
    kept: dict[UUID, int] = {}
    for line in every:
        if line.obligation.kind == Obligation.Kind.PRINCIPAL:
            kept[line.order_id] = kept.get(line.order_id, 0) + line.kept_minor
    found = []
    for line, amount in pairs:
        kept[line.order_id] = kept.get(line.order_id, 0)
        if line.obligation.kind == Obligation.Kind.PRINCIPAL:
            kept[line.order_id] += amount.minor
    for line, amount in pairs:
        before = Money(kept[line.order_id], dispute.currency)
        found.append(orders.TakenBack(line.obligation_id, amount, before, causes[line.id]))
        if line.obligation.kind == Obligation.Kind.PRINCIPAL:
            kept[line.order_id] -= amount.minor
    return found


def _stray(row: Deduction, told: Withdrawal, kind: str, *, at: datetime) -> None:
    """Money is gone that our book does not have there: booked where it can be seen, once for each movement."""
    if row.cases.filter(kind=kind, detail__txn=told.txn).exists():
        return
    detail = {"txn": told.txn, "amount": told.amount.minor, "code": told.code[:40]}
    case = Case.objects.create(realm_id=row.realm_id, kind=kind, deduction=row, detail=detail, opened_at=at)
    move = book.Move(book.SUSPENSE, book.clearing(row.channel), told.amount)
    ledger.post([ledger.Fact(case.id, kind, [move])], realm_id=row.realm_id, at=at)


def _publish(dispute: Dispute, event: str, *, at: datetime) -> None:
    """Each merchant whose order it is about hears of their part of it, among the events of the order."""
    rows = list(dispute.lines.select_related("taken__obligation").order_by("id"))
    Order.objects.lock_all({row.order_id for row in rows})
    news = [
        News(
            row.merchant_id,
            event,
            row.order_id,
            {
                "id": dispute.public_id,
                "order": public("ord", row.order_id),
                "deduction": public("ded", dispute.deduction_id),
                "state": dispute.state,
                "code": dispute.code,
                "bearer": dispute.bearer,
                "currency": dispute.currency,
                "amount": row.amount_minor,
                "respond_by": dispute.respond_by,
            },
        )
        for row in rows
    ]
    publish(news, realm_id=dispute.realm_id, at=at)
