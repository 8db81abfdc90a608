"""Sending goods back: which parcel, how much of the order, and keeping them after all."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.visitor import Visitor, for_person
from billing.models import Return
from billing.refusals import AmountInvalid, NotReturnable
from billing.services import returns
from billing.services.returns import Parcel
from kernel.forms import minor_of, new_token, plain
from kernel.money import MOST_MINOR
from kernel.refusal import NotFound, Refusal
from orders import queries as orders
from orders.queries import Sheet

#: Whom people send parcels by; another one may be typed.
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
_FORM = require_http_methods(["GET", "HEAD", "POST"])


@_FORM
@for_person
def send_back(visitor: Visitor, order: str) -> HttpResponse:
    """The person says by which parcel it comes back; whoever is trusted has their money at once."""
    sheet = orders.sheet_of(visitor.person.id, visitor.named("ord", order))
    if visitor.request.method != "POST":
        return _asked(visitor, sheet)
    try:
        if not visitor.sends_first("return"):
            return redirect("order", order)
        if not returns.returnable(sheet.order, at=visitor.at):
            raise NotReturnable
        parcel = Parcel(
            carrier=visitor.sent("carrier"),
            tracking_number=visitor.sent("tracking_number"),
            reason=visitor.sent("reason"),
            amount_minor=_amount(visitor, sheet),
        )
        row, _fresh = returns.open_return(sheet.order.id, parcel, by=visitor.actor, at=visitor.at)
    except NotFound:
        raise
    except Refusal as refusal:
        return _asked(visitor, sheet, refusal=refusal)
    ahead = _("Your return is registered and your refund is being processed.")
    messages.success(visitor.request, ahead if row.advance_id else _("Your return is registered."))
    return redirect("order", order)


@_FORM
@for_person
def keep(visitor: Visitor, order: str) -> HttpResponse:
    """The person keeps the goods after all."""
    sheet = orders.sheet_of(visitor.person.id, visitor.named("ord", order))
    row = sheet.order.returns.filter(state__in=[Return.State.OPEN, Return.State.WITHDRAWN]).first()
    if visitor.request.method == "POST" and row is not None:
        try:
            returns.withdraw_return(row.id, by=visitor.actor, at=visitor.at)
        except Refusal as refusal:
            messages.warning(visitor.request, str(refusal.title))
        else:
            messages.success(visitor.request, _("The return has been cancelled."))
    return redirect("order", order)


def _amount(visitor: Visitor, sheet: Sheet) -> int:
    """What was typed, in minor units.

    Raises:
        AmountInvalid: it is no amount.
    """
    minor = minor_of(visitor.sent("amount"), sheet.order.currency)
    if minor is None or minor > MOST_MINOR:
        raise AmountInvalid
    return minor


def _asked(visitor: Visitor, sheet: Sheet, *, refusal: Refusal | None = None) -> HttpResponse:
    left = sheet.order.total - sheet.order.refunded
    terms = returns.in_force_terms(visitor.at)
    return visitor.show(
        "billing/return.html",
        status=refusal.status if refusal else 200,
        sheet=sheet,
        order=sheet.order,
        possible=returns.returnable(sheet.order, at=visitor.at),
        left=left,
        carriers=CARRIERS,
        within=terms.within_days,
        answer_days=terms.answer_days,
        token=new_token(),
        refusal=refusal,
        wrong={error.pointer.removeprefix("/"): error.detail for error in refusal.errors} if refusal else {},
        typed={
            "carrier": visitor.sent("carrier"),
            "tracking_number": visitor.sent("tracking_number"),
            "reason": visitor.sent("reason"),
            "amount": visitor.sent("amount") or plain(left),
        },
    )
