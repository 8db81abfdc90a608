"""The one resolver of what goes back: whatever a channel says of a refund's part becomes true here and only here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.channels import Absent, Answer, Closed, Declined, Lost, Taken
from billing.models import Case, ChannelReport, DeductionLine, Refund, RefundPart
from billing.services import tell
from billing.services.settle import OUTCOMES, TOO_LONG
from kernel.actor import Actor
from kernel.ids import public
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger
from merchants.services import News, publish
from orders import rules as reckoning
from orders import services as orders
from orders.models import Obligation, Order


@dataclass(frozen=True, slots=True)
class PartReport:
    """What was heard about a refund's part, and how: `sync`, `query` or `callback`."""

    part_id: UUID
    answer: Answer
    source: str


def settle_parts(reports: Sequence[PartReport], *, by: Actor, at: datetime) -> None:
    """Make true what the channels said, each by itself.

    Raises:
        Exception: the last of those that could not be settled; they stay unknown and are asked about.
    """
    failures: list[Exception] = []
    for report in reports:
        try:
            _settle(report, by=by, at=at)
        except Exception as exc:  # noqa: BLE001  one bad row must not stop the others; it is raised below
            failures.append(exc)
    if failures:
        raise failures[-1]


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


@transaction.atomic
def _settle(report: PartReport, *, by: Actor, at: datetime) -> None:
    part, answer = RefundPart.objects.locked(report.part_id), report.answer
    _keep(part, report, at=at)
    if part.state not in (RefundPart.State.SENT, RefundPart.State.UNKNOWN):
        _contradicts(part, answer, at=at)
    elif isinstance(answer, Taken) and answer.amount == part.amount:
        _succeed(part, answer.txn, report.source, by=by, at=at)
    elif isinstance(answer, Taken):
        _open_case(part, "refund_of_wrong_amount", {"txn": answer.txn, "amount": answer.amount.minor}, at=at)
    elif isinstance(answer, Declined):
        part.fail(answer.code, answer.kind, at=at)
        part.record("failed", by=by, at=at, code=answer.code)
        _undo(part, by=by, at=at)
    else:
        _doubt(part, answer, by=by, at=at)


def _succeed(part: RefundPart, txn: str, source: str, *, by: Actor, at: datetime) -> None:
    """The channel has given it back: book it, and say so."""
    part.succeed(txn, at=at)
    part.record("succeeded", by=by, at=at, source=source)
    refund = Refund.objects.locked(part.refund_id)
    refund.come_back(part.amount)
    refund.record("part_returned", by=by, at=at, part=part.public_id, amount=part.amount_minor)
    orders.give_back(refund.order_id, part.amount, by=by, at=at, refund=refund.public_id)
    moves = reckoning.returned_moves(part.amount, book.refund_due(refund.person_id), book.clearing(part.channel))
    ledger.post([ledger.Fact(part.id, "refunded", moves, refund.order_id)], realm_id=part.realm_id, at=at)
    _end(part, refund, by=by, at=at)


def _undo(part: RefundPart, *, by: Actor, at: datetime) -> None:
    """Nothing went back by this part: the merchant has it again, less its fee."""
    refund = Refund.objects.locked(part.refund_id)
    lines = lock_lines(refund.order_id)
    line = next(line for line in lines if line.id == part.taken_id)
    line.refunded_minor -= part.amount_minor
    line.save(update_fields=["refunded_minor"])
    order = Order.objects.locked(refund.order_id)
    kept = sum(line.amount_minor - line.refunded_minor for line in lines) - part.amount_minor
    moves = reckoning.refund_failed_moves(
        part.amount, Money(kept, part.currency), book.refund_due(refund.person_id), order.terms
    )
    ledger.post([ledger.Fact(part.id, "refund_failed", moves, order.id)], realm_id=part.realm_id, at=at)
    _end(part, refund, by=by, at=at)


def _doubt(part: RefundPart, answer: Answer, *, by: Actor, at: datetime) -> None:
    """Nobody knows yet: ask again later. Only a number that is closed at the channel was never sent."""
    if part.state == RefundPart.State.SENT:
        part.lose(ask_at=rules.next_ask(part.asks, at=at))
        part.record("unknown", by=by, at=at)
    if isinstance(answer, Closed):
        part.never_sent(at=at)
        part.record("not_sent", by=by, at=at)
        _undo(part, by=by, at=at)
    elif rules.too_long(part.sent_at, at=at) and not part.cases.filter(kind=TOO_LONG).exists():
        _open_case(part, TOO_LONG, {"asks": part.asks}, at=at)


def _end(part: RefundPart, refund: Refund, *, by: Actor, at: datetime) -> None:
    """When none of its parts is open any more the refund is over: it gave back all it said, or not."""
    part.cases.filter(kind=TOO_LONG, closed_at__isnull=True).update(closed_at=at)
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


def _contradicts(part: RefundPart, answer: Answer, *, at: datetime) -> None:
    """A resolved part is heard of again: a repeat is nothing, a contradiction is opened as a case."""
    if isinstance(answer, Lost | Absent):
        return
    succeeded = part.state == RefundPart.State.SUCCEEDED
    if isinstance(answer, Declined | Closed):
        if succeeded:
            _open_case(part, "declined_after_refund", {"code": getattr(answer, "code", "closed")}, at=at)
        return
    if not (succeeded and answer.txn == part.channel_txn):
        _stray(part, answer, "refunded_twice" if succeeded else "refunded_after_failure", at=at)


def _stray(part: RefundPart, answer: Taken, kind: str, *, at: datetime) -> None:
    """Money went back that nobody expected: it is booked where it can be seen, once for each transaction."""
    if part.cases.filter(kind=kind, detail__txn=answer.txn).exists():
        return
    case = _open_case(part, kind, {"txn": answer.txn, "amount": answer.amount.minor}, at=at)
    move = book.Move(book.SUSPENSE, book.clearing(part.channel), answer.amount)
    ledger.post([ledger.Fact(case.id, kind, [move])], realm_id=part.realm_id, at=at)


def _open_case(part: RefundPart, kind: str, detail: dict[str, Any], *, at: datetime) -> Case:
    known = part.cases.filter(kind=kind, detail=detail).first()
    return known or Case.objects.create(
        realm_id=part.realm_id, kind=kind, refund_part=part, detail=detail, opened_at=at
    )


def _keep(part: RefundPart, report: PartReport, *, at: datetime) -> None:
    """What was said, as evidence."""
    answer = report.answer
    taken = answer if isinstance(answer, Taken) else None
    ChannelReport.objects.create(
        refund_part=part,
        source=report.source,
        outcome=OUTCOMES[type(answer)],
        code=getattr(answer, "code", ""),
        channel_txn=taken.txn if taken else "",
        amount_minor=taken.amount.minor if taken else None,
        at=at,
    )
