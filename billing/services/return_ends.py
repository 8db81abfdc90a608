"""What becomes of a return: the merchant confirms it or says nothing, or refuses it, and then colleagues decide."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.models import DeductionLine, Refund, RefundPart, Return
from billing.refusals import RefundTooMuch, ReturnClosed
from billing.services import our_loss, tell
from billing.services.after_all import counted_ahead, refuse_unjudged
from billing.services.refund import Asked, is_much, prepare_refund, send_parts
from billing.services.returns import BILLED, FOR_A_RETURN, is_moved, publish_return
from billing.services.settle_parts import fee_base, kept_of, lock_lines
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy, FieldError, Invalid, SecondNeeded
from orders import services as orders
from orders.models import Order, Pause
from orders.refusals import PaidElsewhere, WrittenOff

BECAUSE_MAX = 200


def confirm_return(return_id: UUID, *, by: Actor, at: datetime, unanswered: bool = False) -> Return:
    """The goods are there: the merchant bears what was given back ahead, and the rest goes back now. Twice is once.

    By their silence (`unanswered`) only where they have not refused it meanwhile.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: it ended otherwise, or was answered.
        Busy: what was given back ahead, another refund, a dispute or a deduction of the order has no outcome yet.
        RefundTooMuch: there is not so much left to be given back.
    """
    row, parts = _confirmed(return_id, Return.WAITING if unanswered else Return.LIVE, by=by, at=at)
    send_parts(parts, by=by, at=at)
    return row


def begin_confirmation(return_id: UUID, *, by: Actor, at: datetime) -> Callable[[], None]:
    """The same by a colleague, written down; returns what sends the rest, when the transaction around this has ended.

    Raises:
        SecondNeeded: so much would go back now that no colleague gives it back alone, or late fees would fall away.
        NotFound, ReturnClosed, Busy, RefundTooMuch: as confirm_return says.
    """
    _row, parts = _confirmed(return_id, Return.LIVE, by=by, at=at)
    return partial(send_parts, parts, by=by, at=at)


@transaction.atomic
def refuse_return(return_id: UUID, because: str, *, by: Actor, at: datetime) -> Return:
    """The merchant does not take it, and says why; colleagues decide. The same again is nothing.

    Raises:
        NotFound: there is no such return.
        Invalid: nothing or too much was said.
        ReturnClosed: it is decided, refused for another reason, or their silence has counted as a yes.
    """
    said = because.strip()
    if not 0 < len(said) <= BECAUSE_MAX:
        raise Invalid(errors=[FieldError("/reason", format_lazy(_("1 to {most} characters."), most=BECAUSE_MAX))])
    row = Return.objects.locked(return_id)
    if row.state == Return.State.REFUSED and row.because == said:
        return row
    if row.state not in Return.WAITING or at >= row.answer_until:
        raise ReturnClosed
    give_to_staff(row, said, by=by, at=at)
    return row


@transaction.atomic
def deny_return(return_id: UUID, because: str, *, by: Actor, at: datetime) -> Return:
    """Colleagues find that nothing came back: the person owes us again what was given back ahead.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: the merchant has not refused it, or it is decided.
        Busy: what was given back ahead has no outcome yet, or the order is being collected.
    """
    row, _lines = _held(return_id)
    _need_refused(row)
    back = _given(row)
    row.deny(at=at)
    row.record("denied", by=by, at=at, reason=because)
    if back:
        orders.owe_advance(row.order_id, back, cause=row.id, by=by, at=at)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    _end(row, "return.denied", at=at)
    tell.return_denied(row, back or row.amount, because, owes=bool(back), at=at)
    return row


@transaction.atomic
def bear_return(return_id: UUID, because: str, *, by: Actor, at: datetime) -> Return:
    """Colleagues find that neither is to blame: we bear what was given back ahead.

    Raises:
        NotFound: there is no such return.
        ReturnClosed: the merchant has not refused it, it is decided, or nothing went back ahead of it.
        SecondNeeded: it is so much that no colleague makes us bear it alone.
        Busy: what was given back ahead has no outcome yet.
    """
    row, _lines = _held(return_id)
    _need_refused(row)
    back = _given(row)
    if not back:
        raise ReturnClosed
    if by.alone and our_loss.is_much(back, [row.order_id]):
        raise SecondNeeded
    row.be_borne(at=at)
    row.record("borne", by=by, at=at, reason=because)
    orders.lose_advance(row.order_id, back, cause=row.id, by=by, at=at)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    _end(row, "return.borne", at=at)
    tell.return_borne(row, back, because, at=at)
    return row


@transaction.atomic
def _confirmed(return_id: UUID, states: Collection[str], *, by: Actor, at: datetime) -> tuple[Return, list[RefundPart]]:
    row, lines = _held(return_id)
    if row.state == Return.State.CONFIRMED:
        return row, []
    if row.state not in states:
        raise ReturnClosed
    back = _given(row)
    row.confirm(at=at)
    row.record("confirmed", by=by, at=at)
    order = Order.objects.locked(row.order_id)
    orders.resume_order(row.order_id, Pause.Reason.RETURN, by=by, at=at)
    if back:
        orders.bear_return(row.order_id, back, fee_base(kept_of(lines, order), order), cause=row.id, by=by, at=at)
    parts = _rest_of(row, order, back, by=by, at=at)
    _end(row, "return.confirmed", at=at)
    return row, parts


def _rest_of(row: Return, order: Order, back: Money, *, by: Actor, at: datetime) -> list[RefundPart]:
    """What had not gone ahead goes back now; through us nothing of what was paid elsewhere or given up as lost.

    Raises:
        SecondNeeded: it is more than one colleague gives back alone.
        Busy: another refund, or what a channel took back, must end before there is so much to give back.
    """
    rest = _left_of(row, order, back)
    if not rest:
        return []
    if by.alone and is_much(order, rest.minor):
        raise SecondNeeded
    asked = Asked(amount_minor=rest.minor, reason=FOR_A_RETURN)
    try:
        with transaction.atomic():
            _refund, parts, _fresh = prepare_refund(row.order_id, asked, by=by, at=at)
    except (PaidElsewhere, WrittenOff) as refusal:
        row.record("not_refunded", by=by, at=at, because=refusal.code)
        return []
    except RefundTooMuch:
        if is_moved(order):
            raise Busy(retry_after=3600) from None
        raise
    return parts


def _left_of(row: Return, order: Order, back: Money) -> Money:
    """What of it has not gone back and still can: nothing of an order of which nothing is owed or paid."""
    rest = min(row.amount - back, order.total - order.refunded)
    return rest if order.state in BILLED else Money(0, row.currency)


def went_ahead(row: Return) -> Money:
    """What really went back ahead of it, which we can bear."""
    return _arrived(row, row.advance) if row.advance else Money(0, row.currency)


def confirming_needs_second(row: Return) -> bool:
    """Whether more would go back now than one colleague alone gives back."""
    rest = _left_of(row, row.order, went_ahead(row))
    return bool(rest) and is_much(row.order, rest.minor)


def bearing_needs_second(row: Return) -> bool:
    """Whether it is more than one colleague alone makes us bear."""
    return our_loss.is_much(went_ahead(row), [row.order_id])


def _held(return_id: UUID) -> tuple[Return, list[DeductionLine]]:
    """A return and what was collected of its order, locked in that order.

    Raises:
        NotFound: there is none.
    """
    row = Return.objects.locked(return_id)
    return row, lock_lines(row.order_id)


def _need_refused(row: Return) -> None:
    if row.state != Return.State.REFUSED:
        raise ReturnClosed


def _given(row: Return) -> Money:
    """What really went back ahead of it.

    Raises:
        Busy: nobody knows yet, or it went after all and that is still to be judged.
    """
    if row.advance_id is None:
        return Money(0, row.currency)
    refund = Refund.objects.get(pk=row.advance_id)
    if refund.state == Refund.State.PENDING:
        raise Busy(retry_after=60)
    refuse_unjudged(row.order_id)
    return _arrived(row, refund)


def _arrived(row: Return, refund: Refund) -> Money:
    return Money(refund.returned_minor + counted_ahead(refund), row.currency)


def give_to_staff(row: Return, because: str, *, by: Actor, at: datetime) -> None:
    """A locked return that nobody answered with a yes: colleagues decide it."""
    row.refuse(because)
    row.record("refused", by=by, at=at, reason=because)
    _end(row, "return.refused", at=at)
    tell.return_refused(row, at=at)


def _end(row: Return, event: str, *, at: datetime) -> None:
    """Tell the merchant, whose order is held while its events are numbered."""
    Order.objects.lock_all([row.order_id])
    publish_return(row, event, at=at)
