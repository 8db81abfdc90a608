"""Refunds that arrived after the channel had reported failure: until the case is closed, nothing more is refunded."""

from datetime import datetime
from uuid import UUID

from billing.models import Case, DeductionLine, Refund, RefundPart, Return
from billing.services.refund_outcomes import REFUNDED_AFTER_FAILURE, fee_base, kept_amount, lock_refundable_lines
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import Busy
from ledger import accounts as book
from orders import rules as order_rules
from orders import services as orders

AHEAD, MERCHANT = Case.Resolution.AHEAD, Case.Resolution.MERCHANT
#: Resolutions that count it as refunded, up to what was still refundable.
REFUNDED_RESOLUTIONS = (AHEAD, MERCHANT)
_OTHER_RESOLUTIONS = (Case.Resolution.RETURNED, Case.Resolution.PLATFORM)


def ensure_no_open_case(order_id: UUID) -> None:
    """Refuse further refunds while it is undecided who is liable for one that arrived after a failure.

    Raises:
        Busy: the order has such an open case.
    """
    if Case.objects.filter(
        kind=REFUNDED_AFTER_FAILURE, closed_at=None, refund_part__refund__order_id=order_id
    ).exists():
        raise Busy(retry_after=600)


def advanced_after_failure(refund: Refund) -> int:
    """Minor units of an early refund that were first reported as failed and arrived after all."""
    cases = Case.objects.filter(kind=REFUNDED_AFTER_FAILURE, resolution=AHEAD, refund_part__refund=refund)
    return sum(case.detail["refunded"] for case in cases)


def allowed_resolutions(part: RefundPart, amount: Money) -> tuple[str, ...]:
    """The allowed resolutions. If its return is undecided it counts as early refund, and liability is decided there."""
    if not _refundable_amount(part, part.taken, amount):
        return _OTHER_RESOLUTIONS
    if Return.objects.filter(advance=part.refund_id, state__in=Return.LIVE).exists():
        return (AHEAD, Case.Resolution.RETURNED)
    return (MERCHANT, *_OTHER_RESOLUTIONS)


def resolution_moves(part: RefundPart, resolution: str, amount: Money) -> list[book.Move]:
    """Postings: the merchant pays up to what they still hold, or we advance that; the rest is our loss."""
    lines, order = lock_refundable_lines(part.refund.order_id, include_advance_repayments=True), part.refund.order
    refundable = _refundable_amount(part, _line_of(part, lines), amount)
    if resolution == AHEAD:
        moves = [book.Move(book.ADVANCES, book.SUSPENSE, refundable)]
    else:
        moves = order_rules.refund_moves(
            refundable, fee_base(kept_amount(lines, order), order), book.SUSPENSE, order.terms
        )
    return [*moves, book.Move(book.LOSSES, book.SUSPENSE, amount - refundable)] if amount > refundable else moves


def record_refunded(case: Case, part: RefundPart, resolution: str, amount: Money, *, by: Actor, at: datetime) -> None:
    """Count the amount as refunded on its line and order, and store it in the case."""
    line = _line_of(part, lock_refundable_lines(part.refund.order_id, include_advance_repayments=True))
    refundable = _refundable_amount(part, line, amount)
    line.refunded_minor += refundable.minor
    line.save(update_fields=["refunded_minor"])
    case.detail |= {"refunded": refundable.minor}
    refund, is_repayment = part.refund, line.is_advance_repayment
    if is_repayment:
        orders.charge_refund_to_merchant(refund.order_id, refundable, by=by, at=at, refund=refund.public_id)
    orders.record_refund(
        refund.order_id,
        refundable,
        advanced=resolution == AHEAD,
        is_repeat=is_repayment,
        by=by,
        at=at,
        refund=refund.public_id,
    )


def _line_of(part: RefundPart, lines: list[DeductionLine]) -> DeductionLine:
    return next(line for line in lines if line.id == part.taken_id)


def _refundable_amount(part: RefundPart, line: DeductionLine, amount: Money) -> Money:
    """How much of the amount is still refundable on the line: nothing if it went in another currency."""
    is_same_currency = amount.currency == part.currency
    return Money(min(amount.minor, line.kept_minor) if is_same_currency else 0, amount.currency)
