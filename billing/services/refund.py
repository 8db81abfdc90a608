"""A merchant gives money back: written down with its numbers in one transaction, sent in none, settled in another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing import channels
from billing.models import Deduction, DeductionLine, Refund, RefundEvent, RefundPart, Return
from billing.refusals import AmountInvalid, RefundNumberReused, RefundTooMuch, ReturnOpen
from billing.rules import SEND_LEASE, parts_of, takes_two
from billing.services import tell
from billing.services.after_all import refuse_unjudged
from billing.services.movements import MovementReport
from billing.services.settle_parts import PARTS, fee_base, kept_of, lock_lines, news_of
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import Busy, SecondNeeded
from kernel.writes import update_all
from ledger import rules as book
from ledger import services as ledger
from merchants.services import publish
from orders import rules as reckoning
from orders import services as orders
from orders.models import Order
from orders.services import Refundable


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a merchant wants given back, and their own number of it if they have one."""

    amount_minor: int
    reason: str
    out_refund_no: str | None = None
    #: Ahead of a return: by us, and not yet by the merchant.
    advanced: bool = False


def refund_order(
    order_id: UUID, asked: Asked, *, by: Actor, at: datetime, begun: Callable[[Refund, bool], None] | None = None
) -> tuple[Refund, bool]:
    """Give a part of an order back. What is owed of it is no longer owed; the rest goes back the way it came.

    Returns the refund as it stands now, and whether it is a new one: the same `out_refund_no` is the same refund. Both
    are told to `begun`, in the transaction in which it is written down and before anything is sent.

    Raises:
        NotFound, OrderState, PaidElsewhere, WrittenOff, DeductionInFlight: as orders.lock_refundable says.
        AmountInvalid, RefundTooMuch: it is nothing, or more than there is to give back.
        RefundNumberReused: the number stands for another refund.
        ReturnOpen: goods are on their way back; that they came is confirmed instead.
    """
    with transaction.atomic():
        refund, parts, fresh = _prepared(order_id, asked, by=by, at=at)
        if begun is not None:
            begun(refund, fresh)
    send_parts(parts, by=by, at=at)
    return Refund.objects.get(pk=refund.id), fresh


def begin_refund(order_id: UUID, asked: Asked, *, by: Actor, at: datetime) -> tuple[Refund, Callable[[], None]]:
    """The same by a colleague, written down; and what sends it, when the transaction around this has ended.

    Raises:
        SecondNeeded: it is so much that no colleague does it alone, or late fees would fall away with it.
        NotFound, OrderState …: as refund_order says.
    """
    with transaction.atomic():
        lock_lines(order_id)
        if by.alone and is_much(Order.objects.locked(order_id), asked.amount_minor):
            raise SecondNeeded
        refund, parts, _fresh = _prepared(order_id, asked, by=by, at=at)
    return refund, partial(send_parts, parts, by=by, at=at)


def is_much(order: Order, amount_minor: int) -> bool:
    """Whether so much more of it would be more than one colleague alone gives back: it counts together with what
    went back of it like that before.
    """
    return takes_two(Money(amount_minor + _given_alone(order), order.currency))


def _given_alone(order: Order) -> int:
    """What colleagues gave back of it without a second one. Of what failed, what went back all the same."""
    asked = RefundEvent.objects.filter(subject__order=order, kind="asked", by__startswith="staff:")
    rows = [line.subject for line in asked.select_related("subject") if Actor.named(line.by).alone]
    failed = Refund.State.FAILED
    return sum(row.lowered_minor + row.returned_minor if row.state == failed else row.amount_minor for row in rows)


def _prepared(order_id: UUID, asked: Asked, *, by: Actor, at: datetime) -> tuple[Refund, list[RefundPart], bool]:
    try:
        with transaction.atomic():
            return prepare_refund(order_id, asked, by=by, at=at)
    except IntegrityError as exc:
        if "a_refund_number_is_used_once" not in str(exc):
            raise
        raise RefundNumberReused from None  # by a refund of another order, at this very moment


def prepare_refund(order_id: UUID, asked: Asked, *, by: Actor, at: datetime) -> tuple[Refund, list[RefundPart], bool]:
    """Written down, inside a transaction: what is sent from the moment that commits, and whether it is a new refund.

    Raises:
        NotFound, OrderState, AmountInvalid, RefundTooMuch, RefundNumberReused …: as refund_order says.
        ReturnOpen: goods are on their way back; whoever has them again confirms that instead.
        Busy: money of it that went back after all is still to be judged.
    """
    if asked.amount_minor <= 0:
        raise AmountInvalid("Nothing would be given back.")
    lines = lock_lines(order_id, again=not asked.advanced)
    known = _known(order_id, asked)
    if known is not None:
        return known, [], False
    found = orders.lock_refundable(order_id)
    known = _known(order_id, asked)
    if known is not None:
        return known, [], False
    if not asked.advanced and Return.objects.filter(order_id=order_id, state__in=Return.LIVE).exists():
        raise ReturnOpen
    kept, lowered, back = _shared(found, lines, asked)
    refund = _written(found.order, asked, lowered, by=by, at=at)
    _take_off(found, asked, lowered, kept, by=by, at=at)
    if not back:
        refund.succeed(at=at)
        refund.record("succeeded", by=by, at=at)
        publish([news_of(refund)], realm_id=refund.realm_id, at=at)
        tell.refunded(refund, at=at)
        return refund, [], True
    refuse_unjudged(order_id)
    parts = _parts(refund, lines, back, by=by, at=at)
    moves = _moves(found.order, refund, back, kept)
    ledger.post([ledger.Fact(refund.id, "refund_asked", moves, order_id)], realm_id=refund.realm_id, at=at)
    orders.stop_for_refund(order_id, by=by, at=at)
    return refund, parts, True


def _take_off(found: Refundable, asked: Asked, lowered: int, kept: Money, *, by: Actor, at: datetime) -> None:
    """So much is no longer owed; and no late fee is either, where the merchant keeps nothing of the order."""
    order, everything = found.order, found.owed.minor + kept.minor
    if lowered:
        orders.lower_total(order.id, order.total.minor - lowered, asked.reason, by=by, at=at)
    if asked.amount_minor == everything and not (asked.advanced or order.advanced_minor):
        orders.forgive_refunded(order.id, by=by, at=at)


def _known(order_id: UUID, asked: Asked) -> Refund | None:
    """The refund that has this number already."""
    if asked.out_refund_no is None:
        return None
    merchant = Order.objects.filter(pk=order_id).values("merchant_id")
    known = Refund.objects.filter(merchant_id__in=merchant, out_refund_no=asked.out_refund_no).first()
    if known is None:
        return None
    if (known.order_id, known.amount_minor, known.reason) != (order_id, asked.amount_minor, asked.reason):
        raise RefundNumberReused
    return known


def _shared(found: Refundable, lines: Sequence[DeductionLine], asked: Asked) -> tuple[Money, int, Money]:
    """What the merchant keeps so far, how much of this is owed no more, and how much of it goes back.

    Beyond what was paid for what was bought, what was paid once more for a return that did not stand: that was ours,
    and its merchant bears from now on what we had given back.

    Raises:
        Busy: more was collected since the lines were locked.
        RefundTooMuch: there is not so much.
    """
    order, bought = found.order, [line for line in lines if not line.again]
    if sum(line.amount_minor - line.reopened_minor for line in bought) != found.paid.minor:
        raise Busy(retry_after=1)
    first, there = (Money(sum(line.kept_minor for line in some), order.currency) for some in (bought, lines))
    if asked.amount_minor > found.owed.minor + there.minor:
        raise RefundTooMuch(format_lazy(_("Up to {most} can be refunded."), most=str(found.owed + there)))
    lowered = min(asked.amount_minor, found.owed.minor)
    back, kept = Money(asked.amount_minor - lowered, order.currency), kept_of(lines, order)
    if back > first:
        order.bear(back - first)
    return kept, lowered, back


def _moves(order: Order, refund: Refund, back: Money, kept: Money) -> list[book.Move]:
    """Ahead of a return we give it back; else the merchant does, and their fee is that of what they keep."""
    due = book.refund_due(refund.person_id)
    if refund.advanced:
        return [book.Move(book.ADVANCES, due, back)]
    return reckoning.refund_moves(back, fee_base(kept, order), due, order.terms)


def _written(order: Order, asked: Asked, lowered: int, *, by: Actor, at: datetime) -> Refund:
    refund = Refund(
        realm_id=order.realm_id,
        merchant_id=order.merchant_id,
        person_id=order.person_id,
        order=order,
        currency=order.currency,
        amount_minor=asked.amount_minor,
        lowered_minor=lowered,
        reason=asked.reason,
        out_refund_no=asked.out_refund_no,
        advanced=asked.advanced,
        created_at=at,
    )
    refund.record("asked", by=by, at=at)
    kind = "refund_advanced" if asked.advanced else "refund_asked"
    order.record(kind, by=by, at=at, refund=refund.public_id, amount=asked.amount_minor, reason=asked.reason)
    return refund


def _parts(refund: Refund, lines: Sequence[DeductionLine], back: Money, *, by: Actor, at: datetime) -> list[RefundPart]:
    """The newest deduction is given back first. Each part is sent from the moment this commits."""
    shares = parts_of(back.minor, [line.kept_minor for line in lines])
    used = [(line, share) for line, share in zip(lines, shares, strict=True) if share]
    for line, share in used:
        line.refunded_minor += share
    update_all([line for line, _ in reversed(used)], ["refunded_minor"])
    parts = [
        RefundPart(
            realm_id=refund.realm_id,
            refund=refund,
            taken=line,
            channel=line.deduction.channel,
            currency=refund.currency,
            amount_minor=share,
            prepared_at=at,
        )
        for line, share in used
    ]
    record_all(parts, "prepared", by=by, at=at)
    for part in parts:
        part.send(at=at, ask_at=at + SEND_LEASE)
    record_all(parts, "sent", by=by, at=at)
    return parts


def send_parts(parts: Sequence[RefundPart], *, by: Actor, at: datetime) -> None:
    """Ask the channels, and settle what they answer. What is not sent in half its lease is not sent at all: its turn
    is the next one's, and none of its tries is used up.
    """
    returns = ((part.id, part.channel, _return(part, part.taken.deduction, at=at)) for part in parts)
    answers = list(channels.give_back_all(returns, within=SEND_LEASE / 2))
    PARTS.settle_all([MovementReport(key, answer, "sync") for key, answer in answers], by=by, at=at)
    asked = {key for key, _answer in answers}
    _leave([part for part in parts if part.id not in asked], by=by, at=at)


@transaction.atomic
def _leave(parts: Sequence[RefundPart], *, by: Actor, at: datetime) -> None:
    """These were not sent after all. Whatever became of one of them meanwhile stands."""
    versions = {part.id: part.version for part in parts}
    left = [row for row in RefundPart.objects.locked_all(versions) if row.version == versions[row.id]]
    for row in left:
        row.leave(again_at=at)
    record_all(left, "not_its_turn", by=by, at=at)


def _return(part: RefundPart, taken: Deduction, *, at: datetime) -> channels.Return:
    return channels.Return(part.number, taken.channel_txn or "", taken.instrument.token, part.amount, at)
