"""Queries for a merchant's returns, and the API representation of a return."""

from typing import Literal
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Return
from kernel.ids import public
from kernel.models import LIVE
from kernel.refusal import NotFound
from kernel.wire import Moment, Wire


class ReturnOut(Wire):
    """Goods on their way back to you: of which order, by which parcel, and until when you say whether they came."""

    id: str
    object: Literal["return"]
    livemode: bool
    state: str
    order: str
    currency: str
    amount: int
    refund: str | None
    carrier: str
    tracking_number: str
    reason: str
    because: str
    opened_at: Moment
    answer_until: Moment
    resolved_at: Moment | None


def return_out(row: Return) -> ReturnOut:
    return ReturnOut(
        id=row.public_id,
        object="return",
        livemode=row.realm_id == LIVE,
        state=row.state,
        order=public("ord", row.order_id),
        currency=row.currency,
        amount=row.amount_minor,
        refund=public("rfd", row.advance_id) if row.advance_id else None,
        carrier=row.carrier,
        tracking_number=row.tracking_number,
        reason=row.reason,
        because=row.because,
        opened_at=row.opened_at,
        answer_until=row.answer_until,
        resolved_at=row.resolved_at,
    )


def returns_of(merchant_id: UUID, *, state: str | None = None, order_id: UUID | None = None) -> "QuerySet[Return]":
    """Returns to a merchant, of all their orders or of one."""
    rows = Return.objects.filter(merchant_id=merchant_id)
    if order_id is not None:
        rows = rows.filter(order_id=order_id)
    return rows.filter(state=state) if state is not None else rows


def return_of(merchant_id: UUID, return_id: UUID) -> Return:
    """The merchant's own return.

    Raises:
        NotFound: it is missing, or another merchant's.
    """
    found = returns_of(merchant_id).filter(pk=return_id).select_related("order").first()
    if found is None:
        raise NotFound
    return found


def count_unanswered(merchant_id: UUID) -> int:
    """How many returns wait for this merchant's answer."""
    return returns_of(merchant_id).filter(state__in=Return.WAITING).count()
