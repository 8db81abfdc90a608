"""What we bear of an order by a colleague's word: from what takes two on no colleague says so alone, nor in pieces."""

from collections.abc import Collection
from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Dispute, DisputeEvent
from billing.rules import takes_two
from kernel.actor import Actor
from kernel.models import History
from kernel.money import Money
from orders.models import OrderEvent

Line = TypeVar("Line", bound=History)


def is_much(amount: Money, order_ids: Collection[UUID]) -> bool:
    """Whether so much more of these orders would be more than one colleague alone makes us bear: it counts together
    with what we bear of them by one colleague's word before, of what channels took back and of returns.
    """
    return takes_two(Money(amount.minor + _borne_alone(order_ids), amount.currency))


def _borne_alone(order_ids: Collection[UUID]) -> int:
    """What that is in the currency of the orders (minor units)."""
    ours = DisputeEvent.objects.filter(kind="lost", subject__bearer=Dispute.Bearer.PLATFORM)
    lost = ours.filter(subject__lines__order__in=order_ids).select_related("subject").distinct()
    returned = OrderEvent.objects.filter(kind="return_lost", subject__in=order_ids)
    disputed = sum(line.subject.amount_minor for line in _by_one(lost))
    return disputed + sum(int(line.data["amount"]) for line in _by_one(returned))


def _by_one(lines: QuerySet[Line]) -> list[Line]:
    return [line for line in lines.filter(by__startswith="staff:") if Actor.named(line.by).alone]
