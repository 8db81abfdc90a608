"""Webhook events about disputes."""

from datetime import datetime

from billing import dispute_queries
from billing.models import Dispute
from kernel.ids import public
from merchants.services import NewEvent, publish
from orders.models import Order


def publish_dispute(dispute: Dispute, event: str, *, at: datetime) -> None:
    """Publish the event to each merchant concerned, with their part of the dispute, once for each order."""
    parts = dispute_queries.disputes_by_merchant(dispute)
    Order.objects.lock_all({share.order.id for part in parts for share in part.shares})
    events = [
        NewEvent(
            share.order.merchant_id,
            event,
            share.order.id,
            {
                "id": dispute.public_id,
                "order": share.order.public_id,
                "deduction": public("ded", dispute.deduction_id),
                "state": dispute.state,
                "code": dispute.code,
                "bearer": part.bearer,
                "currency": dispute.currency,
                "amount": share.amount_minor,
                "answer_until": dispute.answer_until,
            },
        )
        for part in parts
        for share in part.shares
    ]
    publish(events, realm_id=dispute.realm_id, at=at)
