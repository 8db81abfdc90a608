"""What merchants hear of a dispute, step by step."""

from datetime import datetime

from billing import disputed
from billing.models import Dispute
from kernel.ids import public
from merchants.services import News, publish
from orders.models import Order


def publish_dispute(dispute: Dispute, event: str, *, at: datetime) -> None:
    """Each merchant whose order it is about hears of their part of it, once among the events of each order."""
    parts = disputed.parts_in(dispute)
    Order.objects.lock_all({share.order.id for part in parts for share in part.shares})
    news = [
        News(
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
    publish(news, realm_id=dispute.realm_id, at=at)
