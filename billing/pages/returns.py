"""Register a return of goods, or cancel it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.visitor import Visitor, person_page
from billing.models import Return
from billing.refusals import AmountInvalid, AmountUnreadable
from billing.return_refusals import NotReturnable
from billing.services import returns
from billing.services.returns import Parcel
from kernel.forms import new_form_token, parse_minor, plain_amount
from kernel.money import AMOUNT_MINOR_MAX
from kernel.refusal import NotFound, Refusal
from orders import queries as orders
from orders.queries import OrderDetails

#: Suggested carriers; others may be typed.
CARRIERS = (
    "顺丰速运",
    "京东快递",
    "中国邮政 EMS",
    "中通快递",
    "圆通速递",
    "申通快递",
    "韵达快递",
    "极兔速递",
    "德邦快递",
)
_get_or_post = require_http_methods(["GET", "HEAD", "POST"])


@_get_or_post
@person_page
def start_return(visitor: Visitor, order: str) -> HttpResponse:
    """Register a return with its parcel. Eligible customers get an early refund."""
    details = orders.person_order_details(visitor.person.id, visitor.parse_id("ord", order))
    if visitor.request.method != "POST":
        return _render_form(visitor, details)
    try:
        if not visitor.claim_submission("return"):
            return redirect("order", order)
        if not returns.is_returnable(details.order, at=visitor.at):
            raise NotReturnable
        parcel = Parcel(
            carrier=visitor.posted("carrier"),
            tracking_number=visitor.posted("tracking_number"),
            reason=visitor.posted("reason"),
            amount_minor=_parse_amount(visitor, details),
        )
        row, _fresh = returns.open_return(details.order.id, parcel, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _render_form(visitor, details, refusal=refusal)
    ahead = _("Your return is registered and your refund is being processed.")
    messages.success(visitor.request, ahead if row.advance_id else _("Your return is registered."))
    return redirect("order", order)


@_get_or_post
@person_page
def cancel_return(visitor: Visitor, order: str) -> HttpResponse:
    """Cancel a return."""
    details = orders.person_order_details(visitor.person.id, visitor.parse_id("ord", order))
    row = details.order.returns.filter(state__in=[Return.State.OPEN, Return.State.WITHDRAWN]).first()
    if visitor.request.method == "POST" and row is not None:
        try:
            returns.withdraw_return(row.id, by=visitor.actor, at=visitor.at)
        except Refusal as refusal:
            messages.warning(visitor.request, str(refusal.title))
        else:
            messages.success(visitor.request, _("The return has been cancelled."))
    return redirect("order", order)


def _parse_amount(visitor: Visitor, details: OrderDetails) -> int:
    """The amount of the form in minor units.

    Raises:
        AmountUnreadable: it is not an amount.
        AmountInvalid: it is more than any amount can be.
    """
    minor = parse_minor(visitor.posted("amount"), details.order.currency)
    if minor is None:
        raise AmountUnreadable
    if minor > AMOUNT_MINOR_MAX:
        raise AmountInvalid
    return minor


def _render_form(visitor: Visitor, details: OrderDetails, *, refusal: Refusal | None = None) -> HttpResponse:
    returnable_amount = details.order.total - details.order.refunded
    terms = returns.current_return_terms(visitor.at)
    return visitor.render(
        "billing/return.html",
        status=refusal.status if refusal else 200,
        details=details,
        order=details.order,
        is_returnable=returns.is_returnable(details.order, at=visitor.at),
        left=returnable_amount,
        carriers=CARRIERS,
        within=terms.within_days,
        answer_days=terms.answer_days,
        token=new_form_token(),
        refusal=refusal,
        field_errors={error.pointer.removeprefix("/"): error.detail for error in refusal.errors} if refusal else {},
        typed={
            "carrier": visitor.posted("carrier"),
            "tracking_number": visitor.posted("tracking_number"),
            "reason": visitor.posted("reason"),
            "amount": visitor.posted("amount") or plain_amount(returnable_amount),
        },
    )
