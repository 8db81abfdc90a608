"""Losses the platform bears by a colleague's decision: large ones need dual approval, also when split into parts."""

from collections.abc import Collection
from typing import TypeVar
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Dispute, DisputeEvent
from credit.rules import needs_dual_approval
from kernel.actor import Actor
from kernel.models import History
from kernel.money import Money
from orders.models import OrderEvent

Line = TypeVar("Line", bound=History)


def loss_needs_approval(amount: Money, order_ids: Collection[UUID]) -> bool:
    """Whether this loss of these orders needs dual approval. Earlier losses of the same orders that a single colleague
    decided, of disputes and of returns, are added to it.
    """
    return needs_dual_approval(Money(amount.minor + _decided_alone_minor(order_ids), amount.currency))


def _decided_alone_minor(order_ids: Collection[UUID]) -> int:
    """What the platform bears of these orders by decisions of single colleagues (minor units of their currency)."""
    platform_losses = DisputeEvent.objects.filter(kind="lost", subject__bearer=Dispute.Bearer.PLATFORM)
    dispute_events = platform_losses.filter(subject__lines__order__in=order_ids).select_related("subject").distinct()
    return_events = OrderEvent.objects.filter(kind="return_lost", subject__in=order_ids)
    disputed = sum(line.subject.amount_minor for line in _by_single_colleague(dispute_events))
    return disputed + sum(int(line.data["amount"]) for line in _by_single_colleague(return_events))


def _by_single_colleague(lines: QuerySet[Line]) -> list[Line]:
    return [line for line in lines.filter(by__startswith="staff:") if Actor.parse(line.by).is_unapproved_staff]
