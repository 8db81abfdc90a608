"""What it means that money went back to a person, or did not; how that is found out stands in `movements`."""

from datetime import datetime
from uuid import UUID

from billing.models import DeductionLine, Refund, RefundPart
from billing.services import tell
from billing.services.movements import CaseNames, Resolver
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish
from orders import rules as reckoning
from orders import services as orders
from orders.models import Obligation, Order


def lock_lines(order_id: UUID) -> list[DeductionLine]:
    """What was collected of what an order sold, newest first, locked: who gives any of it back holds all of it."""
    rows = DeductionLine.objects.filter(
        order_id=order_id, deduction__state="succeeded", obligation__kind=Obligation.Kind.PRINCIPAL
    )
    locked = rows.select_for_update(of=("self",), no_key=True).select_related("deduction__instrument").order_by("id")
    return list(locked)[::-1]


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
    }
    event = "refund.succeeded" if refund.state == Refund.State.SUCCEEDED else "refund.failed"
    return News(refund.merchant_id, event, refund.order_id, data)


def _arrived(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """The channel has given it back: book it, and say so."""
    refund = Refund.objects.locked(part.refund_id)
    refund.come_back(part.amount)
    refund.record("part_returned", by=by, at=at, part=part.public_id, amount=part.amount_minor)
    orders.give_back(refund.order_id, part.amount, by=by, at=at, refund=refund.public_id)
    moves = reckoning.returned_moves(part.amount, book.refund_due(refund.person_id), book.clearing(part.channel))
    ledger.post([ledger.Fact(part.id, "refunded", moves, refund.order_id)], realm_id=part.realm_id, at=at)
    _end(refund, by=by, at=at)


def _undo(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """Nothing went back by this part: the merchant has it again, less its fee."""
    refund = Refund.objects.locked(part.refund_id)
    lines = lock_lines(refund.order_id)
    line = next(line for line in lines if line.id == part.taken_id)
    line.refunded_minor -= part.amount_minor
    line.save(update_fields=["refunded_minor"])
    order = Order.objects.locked(refund.order_id)
    kept = sum(line.kept_minor for line in lines) - part.amount_minor
    moves = reckoning.refund_failed_moves(
        part.amount, Money(kept, part.currency), book.refund_due(refund.person_id), order.terms
    )
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
        after_failure="refunded_after_failure",
    ),
    arrived=_arrived,
    undone=_undo,
)
