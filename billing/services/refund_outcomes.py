"""Effects of a refund part that succeeded or failed. How its result is determined is in `movements`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing import channels, rules
from billing.channels import Answer, Declined, NumberNotFound
from billing.models import Case, DeductionLine, Refund, RefundPart, Return
from billing.planning import FailureClass
from billing.services import notices
from billing.services.dispute_lines import undecided_amounts
from billing.services.movements import CaseKinds, MovementResolver
from billing.services.suspense import BookedMovement, release_booked
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from ledger import accounts as book
from ledger import services as ledger
from merchants.services import NewEvent, publish
from orders import queries as order_queries
from orders import rules as order_rules
from orders import services as orders
from orders.models import Obligation, Order

#: Kind of the case of a part that failed after all resends.
REFUND_GIVEN_UP = "refund_given_up"
#: Kind of the case of a part that was paid although the channel had reported its failure.
REFUNDED_AFTER_FAILURE = "refunded_after_failure"


def lock_refundable_lines(order_id: UUID, *, include_advance_repayments: bool = False) -> list[DeductionLine]:
    """Lock the collected lines of an order's purchase, newest first. Every refund locks all of them.

    With `include_advance_repayments` also, after them, the lines that repaid an early refund after a denied return.
    """
    kinds = (Obligation.Kind.PRINCIPAL, Obligation.Kind.ADVANCE)
    rows = DeductionLine.objects.filter(order_id=order_id, deduction__state="succeeded", obligation__kind__in=kinds)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("deduction__instrument", "obligation")
    newest = list(rows.order_by("id"))[::-1]
    purchase_lines = [line for line in newest if not line.is_advance_repayment]
    if not include_advance_repayments:
        return purchase_lines
    return [*purchase_lines, *(line for line in newest if line.is_advance_repayment)]


def kept_amount(lines: Sequence[DeductionLine], order: Order) -> Money:
    """What the merchant keeps of these locked lines of an order.

    That includes what the platform refunded at its own expense, and disputed amounts until somebody bears them.
    """
    kept = sum(line.kept_minor for line in lines if not line.is_advance_repayment)
    disputed = undecided_amounts([order.id]).get(order.id, 0)
    return Money(kept + order.platform_funded_minor + disputed, order.currency)


def fee_base(kept: Money, order: Order) -> Money:
    """The amount on which the order's fee is charged, if the merchant keeps this much of what was collected.

    A merchant who is paid at completion was also paid what is still owed.
    """
    if not order.terms.is_advance:
        return kept
    return kept + Money(order_queries.unpaid_principal_of([order.id]).get(order.id, 0), order.currency)


def build_refund_event(refund: Refund) -> NewEvent:
    """The event `refund.succeeded` or `refund.failed` of the refund's order."""
    data = {
        "id": refund.public_id,
        "order": public("ord", refund.order_id),
        "out_refund_no": refund.out_refund_no,
        "state": refund.state,
        "currency": refund.currency,
        "amount": refund.amount_minor,
        "lowered": refund.lowered_minor,
        "returned": refund.returned_minor,
        "advanced": refund.advanced,
    }
    event = "refund.succeeded" if refund.state == Refund.State.SUCCEEDED else "refund.failed"
    return NewEvent(refund.merchant_id, event, refund.order_id, data)


def _on_success(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """The channel has paid the part: post it, and finish the refund if it was the last part."""
    release_booked([BookedMovement(part, "refund", part.channel_txn or "", part.amount)], at=at)
    refund = Refund.objects.locked(part.refund_id)
    refund.add_returned(part.amount)
    refund.record("part_returned", by=by, at=at, part=part.public_id, amount=part.amount_minor)
    orders.record_refund(
        refund.order_id,
        part.amount,
        advanced=refund.advanced,
        is_repeat=part.taken.is_advance_repayment,
        by=by,
        at=at,
        refund=refund.public_id,
    )
    moves = order_rules.refund_payout_moves(part.amount, book.refund_due(refund.person_id), book.clearing(part.channel))
    ledger.post([ledger.JournalEntry(part.id, "refunded", moves, refund.order_id)], realm_id=part.realm_id, at=at)
    given_up = Case.objects.filter(kind=REFUND_GIVEN_UP, closed_at=None, refund_part__refund__order_id=refund.order_id)
    given_up.update(closed_at=at)
    _finish_if_complete(refund, by=by, at=at)


def _schedule_resend(part: RefundPart, answer: Answer, *, by: Actor, at: datetime) -> bool:
    """Schedule a resend under the same number, after a temporary failure or if the part never reached the channel."""
    again_at = rules.next_resend_at(part.sends, at=at)
    if again_at is None or not _is_worth_resending(part, answer, at=at):
        return False
    part.schedule_retry(again_at=again_at)
    code = answer.code if isinstance(answer, Declined) else "not_found_at_channel"
    part.record("put_off", by=by, at=at, code=code, again_at=again_at)
    return True


def _is_worth_resending(part: RefundPart, answer: Answer, *, at: datetime) -> bool:
    if isinstance(answer, Declined):
        return answer.kind != FailureClass.HARD
    channel = channels.get_channel(part.channel)
    arrived = not rules.is_not_sent(part.asks, channel.min_queries, part.sent_at or at, channel.finality, at=at)
    return isinstance(answer, NumberNotFound) and not arrived


def _on_failure(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """The part was not paid: the amount is the merchant's again, less the fee.

    A case is opened if all resends failed, because the customer waits for money; it closes with the order's next
    successful refund. So it is if the order's return is confirmed, because nobody else would look at it.
    """
    if part.sends > 1 or part.refund.order.returns.filter(state=Return.State.CONFIRMED).exists():
        detail = {"code": part.failure_code, "sends": part.sends, "amount": part.amount_minor}
        Case.objects.create(realm_id=part.realm_id, kind=REFUND_GIVEN_UP, refund_part=part, detail=detail, opened_at=at)
    refund = Refund.objects.locked(part.refund_id)
    lines = lock_refundable_lines(refund.order_id, include_advance_repayments=True)
    line = next(line for line in lines if line.id == part.taken_id)
    line.refunded_minor -= part.amount_minor
    line.save(update_fields=["refunded_minor"])
    order = Order.objects.locked(refund.order_id)
    if line.is_advance_repayment:
        order = orders.uncharge_refund(refund.order_id, part.amount, by=by, at=at, refund=refund.public_id)
    kept = fee_base(kept_amount(lines, order) - part.amount, order)
    due = book.refund_due(refund.person_id)
    if refund.advanced:
        moves = [book.Move(due, book.ADVANCES, part.amount)]
    else:
        moves = order_rules.refund_failed_moves(part.amount, kept, due, order.terms)
    ledger.post([ledger.JournalEntry(part.id, "refund_failed", moves, order.id)], realm_id=part.realm_id, at=at)
    _finish_if_complete(refund, by=by, at=at)


def _finish_if_complete(refund: Refund, *, by: Actor, at: datetime) -> None:
    """End the refund once none of its parts is open: as succeeded if everything was refunded, else as failed."""
    if refund.parts.filter(state__in=RefundPart.OPEN).exists():
        return
    if refund.lowered_minor + refund.returned_minor == refund.amount_minor:
        refund.succeed(at=at)
    else:
        refund.fail(at=at)
    refund.record(refund.state, by=by, at=at)
    if not Refund.objects.filter(order_id=refund.order_id, state=Refund.State.PENDING).exists():
        orders.resume_after_refund(refund.order_id, by=by, at=at)
    publish([build_refund_event(refund)], realm_id=refund.realm_id, at=at)
    notices.notify_refund_ended(refund, at=at)


REFUND_PARTS = MovementResolver(
    model=RefundPart,
    column="refund_part",
    case_kinds=CaseKinds(
        wrong_amount="refund_of_wrong_amount",
        declined_after="declined_after_refund",
        duplicate="refunded_twice",
        after_failure=REFUNDED_AFTER_FAILURE,
    ),
    on_success=_on_success,
    on_failure=_on_failure,
    schedule_resend=_schedule_resend,
)
