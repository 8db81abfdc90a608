"""Paying one order, or a part of it, now; and how that ended."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing import purse, queries
from billing.models import Deduction, Instrument
from billing.pages.order import mine, show_order
from billing.refusals import AmountInvalid, NoInstrument
from billing.services.pay import pay_now
from kernel import ids
from kernel.forms import SENT_BEFORE, first_time, keep_outcome, minor_of, outcome_of
from kernel.money import Money
from kernel.refusal import NotFound, Refusal
from orders.queries import Sheet


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def pay(visitor: Visitor, order: str) -> HttpResponse:
    """The person pays the order, or a part of it, now."""
    sheet = mine(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    try:
        asked = _asked(visitor, sheet)
        if not first_time(visitor.person.id, visitor.sent("token"), "pay"):
            return _again(visitor, order)
        made = pay_now(sheet.order.id, by=visitor.actor, at=visitor.at, **asked)
    except NotFound:
        raise
    except Refusal as refusal:
        # Read again: what was refused may be because of what has changed meanwhile.
        return show_order(visitor, mine(visitor, order), status=refusal.status, refusal=refusal)
    names = urlencode([("of", row.public_id) for row in made])
    keep_outcome(visitor.person.id, visitor.sent("token"), names)
    return redirect(f"{reverse('paid', args=[order])}?{names}")


@require_safe
@for_person
def paid(visitor: Visitor, order: str) -> HttpResponse:
    """How a payment of the person's ended, or that nobody knows yet: of those named, else of the latest."""
    sheet = mine(visitor, order)
    made = list(queries.attempts_at(sheet.order.id).filter(deduction__purpose=Deduction.Purpose.PAY_NOW))
    if not made:
        return redirect("order", order)
    named = {ids.parse(Deduction.prefix, name) for name in visitor.request.GET.getlist("of")}
    if not named & {line.deduction_id for line in made}:
        named = {made[0].deduction_id}
    shown = [line for line in made if line.deduction_id in named]
    return visitor.show("billing/paid.html", sheet=sheet, order=sheet.order, attempts=shown)


def _again(visitor: Visitor, order: str) -> HttpResponse:
    """The second click of two, or a page sent once more: what the first one came to, or how things stand meanwhile."""
    names = outcome_of(visitor.person.id, visitor.sent("token"))
    if names:
        return redirect(f"{reverse('paid', args=[order])}?{names}")
    messages.info(visitor.request, SENT_BEFORE)
    return redirect("order", order)


def _asked(visitor: Visitor, sheet: Sheet) -> dict[str, Any]:
    """How much, and from where.

    Raises:
        AmountInvalid, NoInstrument: the form says neither plainly.
        WalletTooLow: their wallet does not hold it.
    """
    amount = minor_of(visitor.sent("amount"), sheet.order.currency)
    if not amount:
        raise AmountInvalid
    instrument = ids.parse(Instrument.prefix, visitor.sent("instrument"))
    if instrument is None:
        raise NoInstrument
    purse.check_wallet(visitor.person.id, instrument, [Money(amount, sheet.order.currency)])
    return {"amount_minor": amount, "instrument_id": instrument}
