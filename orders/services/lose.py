"""A debt is given up as lost. The person may still pay it; nobody asks them any more."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from credit.used import change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.refusal import SecondNeeded
from ledger import services as ledger
from ledger.rules import Move
from ledger.services import Fact
from orders import rules
from orders.models import Obligation, Order
from orders.refusals import DeductionInFlight, OrderState
from orders.services.promise import change_for
from orders.services.tell import news_of_obligation, tell


@transaction.atomic
def write_off(order_id: UUID, reason: str, *, by: Actor, at: datetime) -> Order:
    """What is overdue of the order is given up: out of the receivables, a loss in the book. Twice is once.

    The order stays overdue and the promise broken until the person pays after all, which is then a recovery.

    Raises:
        NotFound: there is no such order.
        SecondNeeded: no colleague gives a debt up alone.
        OrderState: nothing of it is overdue, or its clock stands still, so that the debt is in question.
        DeductionInFlight: money may be on its way.
    """
    if by.alone:
        raise SecondNeeded
    order = Order.objects.locked(order_id)
    every = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if all(row.state != Obligation.State.OVERDUE for row in every) and any(
        row.state == Obligation.State.WRITTEN_OFF for row in every
    ):
        return order
    rows = losable(order, every)
    for row in rows:
        row.order = order
        row.write_off()
    lines = record_all(rows, "written_off", by=by, at=at, data=[{"reason": reason}] * len(rows))
    order.record("written_off", by=by, at=at, note=reason)
    lost = sum(row.written_off_minor for row in rows)
    change_profiles([change_for(order, outstanding_minor=-lost)], at=at)
    facts = [Fact(line.id, "written_off", _moves(order, row), order.id) for line, row in zip(lines, rows, strict=True)]
    ledger.post(facts, realm_id=order.realm_id, at=at)
    news = [news_of_obligation(row, "obligation.written_off") for row in rows]
    tell(news, realm_id=order.realm_id, at=at)
    return order


def losable(order: Order, every: Sequence[Obligation]) -> list[Obligation]:
    """What of an order and all its obligations can be given up.

    Raises:
        OrderState, DeductionInFlight: as write_off says.
    """
    if any(row.in_flight for row in every):
        raise DeductionInFlight(retry_after=5)
    rows = [row for row in every if row.state == Obligation.State.OVERDUE]
    if not rows:
        raise OrderState(f"The order is {order.state}; only what is overdue is written off.")
    if any(row.paused_at for row in every):
        raise OrderState("The order's clock stands still; resume it first.")
    return rows


def _moves(order: Order, row: Obligation) -> list[Move]:
    ours = row.kind != Obligation.Kind.PRINCIPAL or order.terms.advance
    return rules.write_off_moves(row.owed, order.terms, ours=ours)
