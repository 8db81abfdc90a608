"""Pay one order now, in full or in part, and the result page."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries
from billing.models import Deduction, Instrument
from billing.pages.order import own_order, render_order
from billing.refusals import AmountInvalid, AmountUnreadable, NoInstrument
from billing.services.pay import pay_now
from kernel import ids
from kernel.forms import ALREADY_SUBMITTED, claim_token, outcome_of, parse_minor, save_outcome
from kernel.money import Money
from kernel.refusal import NotFound, Refusal
from orders.queries import OrderDetails


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def pay(visitor: Visitor, order: str) -> HttpResponse:
    """Pay the order, or a part of it, now."""
    details = own_order(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    try:
        payment = _parse_payment(visitor, details)
        if not claim_token(visitor.person.id, visitor.posted("token"), "pay"):
            return _repeat_response(visitor, order)
        deductions = pay_now(details.order.id, by=visitor.actor, at=visitor.at, **payment)
    except NotFound:
        raise
    except Refusal as refusal:
        # Loaded again, because the refusal may be due to a change meanwhile.
        return render_order(visitor, own_order(visitor, order), status=refusal.status, refusal=refusal)
    query = urlencode([("of", row.public_id) for row in deductions])
    save_outcome(visitor.person.id, visitor.posted("token"), query)
    return redirect(f"{reverse('paid', args=[order])}?{query}")


@require_safe
@person_page
def paid(visitor: Visitor, order: str) -> HttpResponse:
    """The results of the payments given by `?of=`, else of the latest one. They may be unknown yet."""
    details = own_order(visitor, order)
    lines = list(queries.attempts_of_order(details.order.id).filter(deduction__purpose=Deduction.Purpose.PAY_NOW))
    if not lines:
        return redirect("order", order)
    deduction_ids = {ids.parse(Deduction.prefix, name) for name in visitor.request.GET.getlist("of")}
    if not deduction_ids & {line.deduction_id for line in lines}:
        deduction_ids = {lines[0].deduction_id}
    attempts = [line for line in lines if line.deduction_id in deduction_ids]
    return visitor.render("billing/paid.html", details=details, order=details.order, attempts=attempts)


def _repeat_response(visitor: Visitor, order: str) -> HttpResponse:
    """The response to a form sent twice: the result of the first submission if known, else the order."""
    query = outcome_of(visitor.person.id, visitor.posted("token"))
    if query:
        return redirect(f"{reverse('paid', args=[order])}?{query}")
    messages.info(visitor.request, ALREADY_SUBMITTED)
    return redirect("order", order)


def _parse_payment(visitor: Visitor, details: OrderDetails) -> dict[str, Any]:
    """The amount and the instrument of the form.

    Raises:
        AmountUnreadable, AmountInvalid, NoInstrument: the form has none.
        WalletTooLow: the wallet balance is too low.
    """
    amount = parse_minor(visitor.posted("amount"), details.order.currency)
    if amount is None:
        raise AmountUnreadable
    if not amount:
        raise AmountInvalid
    instrument = ids.parse(Instrument.prefix, visitor.posted("instrument"))
    if instrument is None:
        raise NoInstrument
    instrument_queries.require_wallet_balance(visitor.person.id, instrument, [Money(amount, details.order.currency)])
    return {"amount_minor": amount, "instrument_id": instrument}
