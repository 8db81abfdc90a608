"""A channel takes money back: it is noted at once, heard against where the channel hears, and borne by somebody."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing import disputed
from billing.bearing import Terms, read_terms
from billing.models import Deduction, DeductionLine, Dispute, DisputeLine, DisputePolicy, Return
from billing.refusals import DisputeClosed
from billing.services import tell
from billing.services.dispute_news import publish_dispute
from billing.services.disputed_lines import gone_of, lines_of, lock_collected, refuse_in_flight, service_of
from billing.services.our_loss import is_much
from billing.services.out_of_suspense import Booked, let_out, missing_of, take_out
from billing.services.stray_returns import (
    NEVER_TAKEN,
    SAME_NUMBER,
    WRONG_AMOUNT,
    Withdrawal,
    let_stray_out,
    note_stray,
    was_judged,
)
from credit.queries import has_left
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy, Invalid, SecondNeeded
from kernel.versions import in_force
from kernel.writes import insert_all, update_all
from ledger import rules as book
from ledger import services as ledger
from orders import services as orders
from orders.models import Order, Pause

TAKEN_BACK, GIVEN_WAY = "taken_back", "dispute_won"
#: The word of a return that a statement tells, where no reason stands.
UNSAID = "statement"


@transaction.atomic
def take_back(deduction_id: UUID, told: Withdrawal, *, by: Actor, at: datetime) -> Dispute | None:
    """A channel has taken a debit back. Where its word is final somebody bears it at once. The same again is nothing.

    Raises:
        Invalid: the movement has no number, or moved nothing.
        NotFound: there is no such deduction.
        SecondNeeded: as lose says.
        Busy: the deduction, or a refund or another debit of its orders, has no outcome yet; the channel says it again.
    """
    if not told.txn or told.amount.minor <= 0:
        raise Invalid("A movement has a number, and an amount above nothing.")
    row = Deduction.objects.locked(deduction_id)
    known = Dispute.objects.filter(channel=row.channel, channel_txn=told.txn).first()
    if known is not None and known.deduction_id == row.id:
        return _say_why(known, told, by=by, at=at)
    if row.state in Deduction.LIVE:
        raise Busy(retry_after=30)
    let_out([Booked(row, "return", told.txn, told.amount)], at=at)
    cannot_be = SAME_NUMBER if known is not None else NEVER_TAKEN if row.state != Deduction.State.SUCCEEDED else ""
    if cannot_be or was_judged(row, told.txn):
        note_stray(row, told, cannot_be or WRONG_AMOUNT, at=at)
        return None
    every = lock_collected(row)
    lines = [line for line in every if line.deduction_id == row.id and line.kept_minor]
    fits = told.amount == Money(sum(line.kept_minor for line in lines), row.currency)
    if fits:
        let_stray_out(row, told.txn, at=at)
        take_out(missing_of(row), realm_id=row.realm_id, at=at)  # whoever takes it back says that it was there
    Order.objects.lock_all({line.order_id for line in every})
    refuse_in_flight([line.order_id for line in every])
    if not fits:
        note_stray(row, told, WRONG_AMOUNT, at=at)
        return None
    return _opened(row, told, lines, by=by, at=at)


def _opened(row: Deduction, told: Withdrawal, lines: Sequence[DeductionLine], *, by: Actor, at: datetime) -> Dispute:
    """What of it is left is gone from these lines, and disputed until somebody bears it."""
    policy = in_force(DisputePolicy, at=at)
    dispute = _begun(row, told, read_terms(policy.terms), service_of(lines), at=at)
    dispute.record("opened", by=by, at=at, code=told.code, policy=policy.version)
    _hold(dispute, lines)
    move = book.Move(book.DISPUTED, book.clearing(row.channel), told.amount)
    ledger.post([ledger.Fact(dispute.id, TAKEN_BACK, [move])], realm_id=row.realm_id, at=at)
    publish_dispute(dispute, "dispute.opened", at=at)
    if dispute.answer_until is None:
        lose(dispute, dispute.bearer, by=by, at=at)
    return dispute


def _say_why(known: Dispute, told: Withdrawal, *, by: Actor, at: datetime) -> Dispute:
    """A statement said that, and not why. The channel's own word comes later, and says who bears what is undecided."""
    if told.code == UNSAID or known.code != UNSAID:
        return known
    dispute, policy = Dispute.objects.locked(known.id), in_force(DisputePolicy, at=known.opened_at)
    if dispute.state != Dispute.State.OPEN:
        return dispute
    lines = [line for line, _ in lines_of(dispute)]
    bearing = read_terms(policy.terms).of(told.code, service_of(lines))
    dispute.code = told.code[:40]
    dispute.be_borne_by(bearing.bearer)
    dispute.record("reason_heard", by=by, at=at, code=told.code, bearer=bearing.bearer, policy=policy.version)
    if bearing.heard:
        publish_dispute(dispute, "dispute.opened", at=at)
    else:
        lose(dispute, dispute.bearer, by=by, at=at)
    return dispute


def _begun(row: Deduction, told: Withdrawal, terms: Terms, service: str | None, *, at: datetime) -> Dispute:
    bearing = terms.of(told.code, service)
    answer_until = at + terms.answer_within if bearing.heard else None
    return Dispute(
        realm_id=row.realm_id,
        person_id=row.person_id,
        deduction=row,
        channel=row.channel,
        channel_txn=told.txn,
        code=told.code[:40],
        currency=row.currency,
        amount_minor=told.amount.minor,
        bearer=bearing.bearer,
        opened_at=at,
        answer_until=answer_until,
        act_at=answer_until,
    )


@transaction.atomic
def accept_dispute(dispute_id: UUID, bearer: str, because: str, *, by: Actor, at: datetime) -> Dispute:
    """A colleague gives it up before its time, and says who bears it.

    Raises:
        NotFound: there is no such dispute.
        SecondNeeded: as lose says.
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
        SecondNeeded: as lose says.
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
    lines = lines_of(dispute)
    for line, amount in lines:
        line.refunded_minor -= amount.minor
    update_all([line for line, _ in lines], ["refunded_minor"])
    dispute.win(at=at)
    dispute.record("won", by=by, at=at, reason=because)
    move = book.Move(book.clearing(dispute.channel), book.DISPUTED, dispute.amount)
    ledger.post([ledger.Fact(dispute.id, GIVEN_WAY, [move])], realm_id=dispute.realm_id, at=at)
    publish_dispute(dispute, "dispute.won", at=at)


def lose(dispute: Dispute, bearer: str, *, by: Actor, at: datetime, because: str = "") -> None:
    """The money is gone for good: owed again by the person, or borne by the merchant or by us.

    A debt that was once given up is not opened again, nor one of somebody who has left: what is gone of it is our loss.
    So is a debit by which nothing was paid for goods: a merchant never had it. The orders are held before that is
    looked at, so nobody gives one up meanwhile.

    Raises:
        SecondNeeded: we would bear so much that no colleague says so alone.
        Busy: money of its orders is under way, or the person left for good at this moment.
    """
    pairs = lines_of(dispute)
    lines = [line for line, _ in pairs]
    Order.objects.lock_all({line.order_id for line in lines})
    bearer = _can_bear(dispute, bearer, lines)
    if by.alone and _is_much_for_us(dispute, bearer, lines):
        raise SecondNeeded
    owing = bearer == Dispute.Bearer.PERSON
    gone = gone_of(dispute, pairs)
    if owing:
        for line, amount in pairs:
            line.refunded_minor -= amount.minor
            line.reopened_minor += amount.minor
        update_all([line for line, _ in pairs], ["refunded_minor", "reopened_minor"])
    dispute.lose(bearer, at=at)
    dispute.record("lost", by=by, at=at, bearer=bearer, reason=because)
    if owing:
        orders.owe_again(gone, by=by, at=at)
        if has_left(dispute.person_id):  # now that their profile is held: they left since it was looked at
            raise Busy(retry_after=60)
        _stand_still_for_returns({line.order_id for line, _ in pairs}, by=by, at=at)
    else:
        ours = bearer == Dispute.Bearer.PLATFORM
        orders.bear(gone, ours=ours, by=by, at=at, dispute=dispute.public_id)
    refuse_in_flight([line.order_id for line, _ in pairs])
    publish_dispute(dispute, "dispute.lost", at=at)
    if owing:
        tell.taken_back(dispute, at=at)


def needs_second(dispute: Dispute, bearer: str) -> bool:
    """Whether giving it up so would make us bear more than one colleague alone decides."""
    lines = [line.taken for line in dispute.lines.select_related("taken__obligation")]
    return _is_much_for_us(dispute, _can_bear(dispute, bearer, lines), lines)


def _is_much_for_us(dispute: Dispute, bearer: str, lines: Sequence[DeductionLine]) -> bool:
    return bearer == Dispute.Bearer.PLATFORM and is_much(dispute.amount, {line.order_id for line in lines})


def _can_bear(dispute: Dispute, bearer: str, lines: Sequence[DeductionLine]) -> str:
    """Whoever is meant to bear it, or we where they cannot."""
    if bearer == Dispute.Bearer.PERSON:
        can = not has_left(dispute.person_id) and orders.reopenable([line.obligation_id for line in lines])
    else:
        can = any(disputed.for_goods(line) for line in lines)
    return bearer if can else Dispute.Bearer.PLATFORM


def _stand_still_for_returns(order_ids: Collection[UUID], *, by: Actor, at: datetime) -> None:
    """Where goods are on their way back and nothing went ahead of them, what is owed again waits for their end too."""
    waiting = Return.objects.filter(order_id__in=order_ids, state__in=Return.LIVE)
    nothing_ahead = Q(advance__isnull=True) | Q(advance__returned_minor=0)
    for order_id in sorted(set(waiting.filter(nothing_ahead).values_list("order_id", flat=True))):
        orders.pause_order(order_id, Pause.Reason.RETURN, by=by, at=at)


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
