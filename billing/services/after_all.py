"""A refund that went although its channel had said that it did not: until it is judged, nothing more goes back."""

from datetime import datetime
from uuid import UUID

from billing.models import Case, DeductionLine, Refund, RefundPart, Return
from billing.services.settle_parts import AFTER_ALL, fee_base, kept_of, lock_lines
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy
from ledger import rules as book
from orders import rules as reckoning
from orders import services as orders

AHEAD, MERCHANT = Case.Resolution.AHEAD, Case.Resolution.MERCHANT
#: The ends by which it counts as given back, as far as so much was still there to be given back.
COUNTED = (AHEAD, MERCHANT)
_BORNE = (Case.Resolution.RETURNED, Case.Resolution.PLATFORM)


def refuse_unjudged(order_id: UUID) -> None:
    """Nothing goes back twice because nobody has looked yet.

    Raises:
        Busy: something of the order went back after all, and it is not said yet who bears it.
    """
    if Case.objects.filter(kind=AFTER_ALL, closed_at=None, refund_part__refund__order_id=order_id).exists():
        raise Busy(retry_after=600)


def counted_ahead(refund: Refund) -> int:
    """How much of what had failed to go ahead of a return went ahead of it after all."""
    cases = Case.objects.filter(kind=AFTER_ALL, resolution=AHEAD, refund_part__refund=refund)
    return sum(case.detail["refunded"] for case in cases)


def ends(part: RefundPart, amount: Money) -> tuple[str, ...]:
    """How it may end. Ahead of a return that nobody has decided it is ahead of it: who bears it is said there."""
    if not _counted(part, part.taken, amount):
        return _BORNE
    if Return.objects.filter(advance=part.refund_id, state__in=Return.LIVE).exists():
        return (AHEAD, Case.Resolution.RETURNED)
    return (MERCHANT, *_BORNE)


def moves(part: RefundPart, resolution: str, amount: Money) -> list[book.Move]:
    """The merchant bears what they still keep of it, or it is an advance of ours; what is more is our loss."""
    lines, order = lock_lines(part.refund.order_id, again=True), part.refund.order
    counted = _counted(part, _line_of(part, lines), amount)
    if resolution == AHEAD:
        found = [book.Move(book.ADVANCES, book.SUSPENSE, counted)]
    else:
        found = reckoning.refund_moves(counted, fee_base(kept_of(lines, order), order), book.SUSPENSE, order.terms)
    return [*found, book.Move(book.LOSSES, book.SUSPENSE, amount - counted)] if amount > counted else found


def count(case: Case, part: RefundPart, resolution: str, amount: Money, *, by: Actor, at: datetime) -> None:
    """It is nothing that could be given back once more, and the case says how much that is."""
    line = _line_of(part, lock_lines(part.refund.order_id, again=True))
    counted = _counted(part, line, amount)
    line.refunded_minor += counted.minor
    line.save(update_fields=["refunded_minor"])
    case.detail |= {"refunded": counted.minor}
    refund = part.refund
    if line.again:
        orders.bear_again(refund.order_id, counted, by=by, at=at, refund=refund.public_id)
    ahead, again = resolution == AHEAD, line.again
    orders.give_back(refund.order_id, counted, advanced=ahead, again=again, by=by, at=at, refund=refund.public_id)


def _line_of(part: RefundPart, lines: list[DeductionLine]) -> DeductionLine:
    return next(line for line in lines if line.id == part.taken_id)


def _counted(part: RefundPart, line: DeductionLine, amount: Money) -> Money:
    """How much of it is still there to be given back: nothing where it went in another currency."""
    same = amount.currency == part.currency
    return Money(min(amount.minor, line.kept_minor) if same else 0, amount.currency)
