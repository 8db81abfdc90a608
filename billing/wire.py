"""How a refund looks from outside."""

from datetime import datetime
from typing import Literal

from billing.models import Refund, RefundPart
from kernel.ids import public
from kernel.models import LIVE
from kernel.wire import Wire


class RefundPartOut(Wire):
    """Money on its way back, by the deduction it was taken with."""

    id: str
    deduction: str
    amount: int
    state: str
    failure_code: str
    resolved_at: datetime | None


class RefundOut(Wire):
    """A refund: what is no longer owed because of it, and what went back."""

    id: str
    object: Literal["refund"]
    livemode: bool
    state: str
    order: str
    out_refund_no: str | None
    currency: str
    amount: int
    lowered: int
    returned: int
    reason: str
    parts: list[RefundPartOut]
    created_at: datetime
    resolved_at: datetime | None


def refund_out(refund: Refund) -> RefundOut:
    return RefundOut(
        id=refund.public_id,
        object="refund",
        livemode=refund.realm_id == LIVE,
        state=refund.state,
        order=public("ord", refund.order_id),
        out_refund_no=refund.out_refund_no,
        currency=refund.currency,
        amount=refund.amount_minor,
        lowered=refund.lowered_minor,
        returned=refund.returned_minor,
        reason=refund.reason,
        parts=[_part_out(part) for part in refund.parts.all()],
        created_at=refund.created_at,
        resolved_at=refund.resolved_at,
    )


def _part_out(part: RefundPart) -> RefundPartOut:
    return RefundPartOut(
        id=part.public_id,
        deduction=public("ded", part.taken.deduction_id),
        amount=part.amount_minor,
        state=part.state,
        failure_code=part.failure_code,
        resolved_at=part.resolved_at,
    )
