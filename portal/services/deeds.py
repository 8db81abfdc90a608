"""What staff do to an order with their own hands: the same verbs as the API's, and each with its reason in the log."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.services.answers import Evidence, answer_dispute
from kernel.actor import Actor
from merchants.services.record import note
from orders.models import Order


@transaction.atomic
def act_on_order(
    merchant_id: UUID, order_id: UUID, verb: str, act: Callable[[], Order], *, reason: str, by: Actor, at: datetime
) -> Order:
    """One verb of orders, and who did it why among the merchant's changes: both or neither.

    Raises:
        Refusal: whatever the verb refuses.
    """
    order = act()
    note(merchant_id, verb, order_id, by=by, at=at, reason=reason)
    return order


@transaction.atomic
def note_deed(merchant_id: UUID, verb: str, subject_id: UUID, *, by: Actor, at: datetime, **data: str) -> None:
    """Something was done that has its own transactions, because the outside was asked in between."""
    note(merchant_id, verb, subject_id, by=by, at=at, **data)


@transaction.atomic
def say_against(merchant_id: UUID, dispute_id: UUID, told: Evidence, *, by: Actor, at: datetime) -> None:
    """Evidence against what a channel took back, and who sent it among the merchant's changes: both or neither.

    Raises:
        Refusal: whatever answer_dispute refuses.
    """
    answer_dispute(dispute_id, merchant_id, told, by=by, at=at)
    note(merchant_id, "dispute_answered", dispute_id, by=by, at=at)
