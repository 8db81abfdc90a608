"""What it means that money went back to a person, or did not; how that is found out stands in `movements`."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from billing import channels, rules
from billing.channels import Absent, Answer, Declined
from billing.models import Case, DeductionLine, Refund, RefundPart, Return
from billing.planning import Kind
from billing.services import tell
from billing.services.disputed_lines import undecided_of
from billing.services.movements import CaseNames, Resolver
from billing.services.out_of_suspense import Booked, let_out
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish
from orders import queries as order_queries
from orders import rules as reckoning
from orders import services as orders
from orders.models import Obligation, Order

#: A part that was sent as often as it may be, and went nowhere.
GIVEN_UP = "refund_given_up"
#: One that went although the channel had said that it did not.
AFTER_ALL = "refunded_after_failure"


def lock_lines(order_id: UUID, *, again: bool = False) -> list[DeductionLine]:
    """What was collected of what an order sold, newest first, locked: who gives any of it back holds all of it.

    With `again` also, behind it, what was paid once more after a return that did not stand.
    """
    kinds = (Obligation.Kind.PRINCIPAL, Obligation.Kind.ADVANCE)
    rows = DeductionLine.objects.filter(order_id=order_id, deduction__state="succeeded", obligation__kind__in=kinds)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("deduction__instrument", "obligation")
    newest = list(rows.order_by("id"))[::-1]
    bought = [line for line in newest if not line.again]
    return [*bought, *(line for line in newest if line.again)] if again else bought


def kept_of(lines: Sequence[DeductionLine], order: Order) -> Money:
    """What the merchant keeps of these locked lines of an order.

    What we gave back at our own risk they still have, and what a channel took back until it is said who bears it.
    """
    kept = sum(line.kept_minor for line in lines if not line.again)
    disputed = undecided_of([order.id]).get(order.id, 0)
    return Money(kept + order.by_us_minor + disputed, order.currency)


def fee_base(kept: Money, order: Order) -> Money:
    """What the order's fee is of, where its merchant keeps so much of what was collected.

    Who was paid at completion was paid what is still owed, too.
    """
    if not order.terms.advance:
        return kept
    return kept + Money(order_queries.unpaid_of([order.id]).get(order.id, 0), order.currency)


def news_of(refund: Refund) -> News:
    """`refund.succeeded` or `refund.failed`, told among the events of its order."""
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
    return News(refund.merchant_id, event, refund.order_id, data)


def _arrived(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """The channel has given it back: book it, and say so."""
    let_out([Booked(part, "refund", part.channel_txn or "", part.amount)], at=at)
    refund = Refund.objects.locked(part.refund_id)
    refund.come_back(part.amount)
    refund.record("part_returned", by=by, at=at, part=part.public_id, amount=part.amount_minor)
    ahead, again = refund.advanced, part.taken.again
    orders.give_back(refund.order_id, part.amount, advanced=ahead, again=again, by=by, at=at, refund=refund.public_id)
    moves = reckoning.returned_moves(part.amount, book.refund_due(refund.person_id), book.clearing(part.channel))
    ledger.post([ledger.Fact(part.id, "refunded", moves, refund.order_id)], realm_id=part.realm_id, at=at)
    given_up = Case.objects.filter(kind=GIVEN_UP, closed_at=None, refund_part__refund__order_id=refund.order_id)
    given_up.update(closed_at=at)
    _end(refund, by=by, at=at)


def _put_off(part: RefundPart, answer: Answer, *, by: Actor, at: datetime) -> bool:
    """Sent again later, under its number: after any trouble that may pass, or where it never arrived."""
    again_at = rules.sent_again_at(part.sends, at=at)
    if again_at is None or not _may_pass(part, answer, at=at):
        return False
    part.put_off(again_at=again_at)
    code = answer.code if isinstance(answer, Declined) else "not_found_at_channel"
    part.record("put_off", by=by, at=at, code=code, again_at=again_at)
    return True


def _may_pass(part: RefundPart, answer: Answer, *, at: datetime) -> bool:
    if isinstance(answer, Declined):
        return answer.kind != Kind.HARD
    channel = channels.named(part.channel)
    arrived = not rules.never_sent(part.asks, channel.asks_min, part.sent_at or at, channel.finality, at=at)
    return isinstance(answer, Absent) and not arrived


def _undo(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """Nothing went back by this part: the merchant has it again, less its fee.

    What was sent again and again in vain is a case until the order's next refund arrives: somebody waits for money. So
    is whatever fails where the merchant has goods back, or let us say so by their silence: nobody else looks at that.
    """
    if part.sends > 1 or part.refund.order.returns.filter(state=Return.State.CONFIRMED).exists():
        found = {"code": part.failure_code, "sends": part.sends, "amount": part.amount_minor}
        Case.objects.create(realm_id=part.realm_id, kind=GIVEN_UP, refund_part=part, detail=found, opened_at=at)
    refund = Refund.objects.locked(part.refund_id)
    lines = lock_lines(refund.order_id, again=True)
    line = next(line for line in lines if line.id == part.taken_id)
    line.refunded_minor -= part.amount_minor
    line.save(update_fields=["refunded_minor"])
    order = Order.objects.locked(refund.order_id)
    if line.again:
        order = orders.bear_no_more(refund.order_id, part.amount, by=by, at=at, refund=refund.public_id)
    kept = fee_base(kept_of(lines, order) - part.amount, order)
    due = book.refund_due(refund.person_id)
    if refund.advanced:
        moves = [book.Move(due, book.ADVANCES, part.amount)]
    else:
        moves = reckoning.refund_failed_moves(part.amount, kept, due, order.terms)
    ledger.post([ledger.Fact(part.id, "refund_failed", moves, order.id)], realm_id=part.realm_id, at=at)
    _end(refund, by=by, at=at)


def _end(refund: Refund, *, by: Actor, at: datetime) -> None:
    """When none of its parts is open any more the refund is over: it gave back all it said, or not."""
    if refund.parts.filter(state__in=RefundPart.OPEN).exists():
        return
    if refund.lowered_minor + refund.returned_minor == refund.amount_minor:
        refund.succeed(at=at)
    else:
        refund.fail(at=at)
    refund.record(refund.state, by=by, at=at)
    if not Refund.objects.filter(order_id=refund.order_id, state=Refund.State.PENDING).exists():
        orders.go_on_after_refund(refund.order_id, by=by, at=at)
    publish([news_of(refund)], realm_id=refund.realm_id, at=at)
    tell.refunded(refund, at=at)


PARTS = Resolver(
    model=RefundPart,
    column="refund_part",
    cases=CaseNames(
        wrong_amount="refund_of_wrong_amount",
        declined_after="declined_after_refund",
        twice="refunded_twice",
        after_failure=AFTER_ALL,
    ),
    arrived=_arrived,
    undone=_undo,
    put_off=_put_off,
)
