"""Less is owed than before: what may be forgiven, a debt waived or lowered, a late fee forgiven; and what its merchant
hears of it.
"""

from collections.abc import Sequence
from datetime import datetime

from credit.used import Delta
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.refusal import SecondNeeded
from ledger import services as ledger
from ledger.services import Fact
from merchants.services import News
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import AlreadyCollected, DeductionInFlight, WrittenOff
from orders.services.promise import change_for
from orders.services.tell import news_of_obligation


def free(order: Order) -> list[Obligation]:
    """What is owed of the order, locked, with nothing in flight."""
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for obligation in obligations:
        obligation.order = order
    if any(obligation.in_flight for obligation in obligations):
        raise DeductionInFlight(retry_after=5)
    if any(obligation.state == Obligation.State.WRITTEN_OFF for obligation in obligations):
        raise WrittenOff
    return obligations


def untouched(order: Order) -> list[Obligation]:
    """The same, and nothing of it was ever collected."""
    obligations = free(order)
    if any(obligation.paid_minor for obligation in obligations):
        raise AlreadyCollected
    return obligations


def principal(rows: list[Obligation]) -> list[Obligation]:
    """What was bought, without the late fees beside it."""
    return [row for row in rows if row.kind == Obligation.Kind.PRINCIPAL]


def still_owed(rows: list[Obligation]) -> list[Obligation]:
    """Of that, what has not ended yet: a part of a plan is waived where the total came down by all of it."""
    return [row for row in principal(rows) if row.state in Obligation.OWED]


def waive(obligations: Sequence[Obligation], *, by: Actor, at: datetime) -> list[News]:
    """Nothing of these is owed any more."""
    for obligation in obligations:
        obligation.waive()
    record_all(obligations, "waived", by=by, at=at)
    return ended(obligations)


def shrink(obligations: Sequence[Obligation], less: int, *, by: Actor, at: datetime) -> list[News]:
    """Take `less` minor units off what is owed, from the last obligation back."""
    touched = []
    for obligation in sorted(obligations, key=lambda o: -o.sequence):
        part = min(less, obligation.owed.minor)
        less -= part
        if not part:
            continue
        touched.append(obligation)
        if part == obligation.owed.minor and not obligation.paid_minor:
            obligation.waive()
            obligation.record("waived", by=by, at=at)
            continue
        obligation.lower(Money(obligation.amount_minor - part, obligation.currency))
        if not obligation.owed:
            obligation.finish()
        obligation.record("lowered", by=by, at=at, amount=obligation.amount_minor)
    return ended(touched)


def waive_late_fees(
    order: Order, rows: Sequence[Obligation], *, by: Actor, at: datetime
) -> tuple[list[Delta], list[News]]:
    """The late fees among an order's locked obligations are forgiven; what that changes for the person.

    Of one that was paid in part that part stays: it comes to no more, and is paid.

    Raises:
        SecondNeeded: there are some, and no colleague forgives them alone, whatever it is that they fall away with.
    """
    fees = [row for row in rows if row.kind == Obligation.Kind.LATE_FEE and row.state in Obligation.OWED]
    if fees and by.alone:
        raise SecondNeeded
    owed = [row.owed for row in fees]
    for row in fees:
        row.order = order
        if row.paid_minor:
            row.lower(row.paid)
            row.finish()
        else:
            row.waive()
    lines = record_all(fees, "waived", by=by, at=at)
    facts = [
        Fact(line.id, "late_fee_waived", rules.fee_waiver_moves(fee, order.terms), order.id)
        for line, fee in zip(lines, owed, strict=True)
    ]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    return [change_for(order, outstanding_minor=-fee.minor) for fee in owed], ended(fees)


def ended(obligations: Sequence[Obligation]) -> list[News]:
    """What is told of those of these that are owed no more, in the order of their parts."""
    events = {Obligation.State.PAID: "obligation.paid", Obligation.State.WAIVED: "obligation.waived"}
    return [
        news_of_obligation(row, events[Obligation.State(row.state)])
        for row in sorted(obligations, key=lambda row: row.sequence)
        if row.state in events
    ]
