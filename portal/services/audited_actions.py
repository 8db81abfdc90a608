"""Actions of merchant staff that are recorded in the merchant's change log."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.services.dispute_evidence import Evidence, submit_evidence
from kernel.actor import Actor
from merchants.services.change_log import record_change
from orders.models import Order


@transaction.atomic
def run_order_action(
    merchant_id: UUID, order_id: UUID, verb: str, action: Callable[[], Order], *, reason: str, by: Actor, at: datetime
) -> Order:
    """Run an action on an order and record it with its reason in the change log, in one transaction.

    Raises:
        Refusal: from the action.
    """
    order = action()
    record_change(merchant_id, verb, order_id, by=by, at=at, reason=reason)
    return order


@transaction.atomic
def record_action(merchant_id: UUID, verb: str, subject_id: UUID, *, by: Actor, at: datetime, **data: str) -> None:
    """Record an action that ran in its own transactions, because it calls a channel in between."""
    record_change(merchant_id, verb, subject_id, by=by, at=at, **data)


@transaction.atomic
def submit_dispute_evidence(
    merchant_id: UUID, dispute_id: UUID, evidence: Evidence, *, by: Actor, at: datetime
) -> None:
    """Submit evidence for a dispute and record it in the change log, in one transaction.

    Raises:
        Refusal: from the dispute's service.
    """
    submit_evidence(dispute_id, merchant_id, evidence, by=by, at=at)
    record_change(merchant_id, "dispute_answered", dispute_id, by=by, at=at)
