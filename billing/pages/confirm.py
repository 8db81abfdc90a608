"""The page on which a person confirms an order, and says no to it as easily."""

from contextlib import suppress

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, for_person
from billing.queries import instruments_of
from credit import queries as standings
from credit import returns
from credit.models import Agreement
from credit.refusals import ServicePaused
from credit.services import must_take_new
from kernel.clock import live_now
from kernel.refusal import NotFound, Refusal
from merchants.refusals import MerchantNotActive
from orders import queries, services
from orders.models import Order
from orders.refusals import AgreementNotActive, OrderState


@require_http_methods(["GET", "HEAD", "POST"])
@for_person
def confirm(visitor: Visitor, order: str) -> HttpResponse:
    """What a merchant wants to open for the person, who says yes or no."""
    sheet = queries.sheet_of(visitor.person.id, visitor.named("ord", order))
    if visitor.request.method == "POST":
        return _decline(visitor, sheet.order) if visitor.sent("answer") == "no" else _confirm(visitor, sheet.order)
    waits = sheet.order.state == Order.State.CREATED
    late = waits and sheet.order.expires_at is not None and sheet.order.expires_at <= visitor.at
    waits = waits and not late
    return visitor.show(
        "orders/confirm.html",
        order=sheet.order,
        waits=waits,
        late=late,
        stopped=waits and sheet.order.agreement.state != Agreement.State.ACTIVE,
        refusal=_held_back(sheet.order) if waits else None,
        instruments=instruments_of([visitor.person.id]).get(visitor.person.id, []),
        host=returns.host_of(sheet.order.agreement),
    )


@require_safe
@for_person
def confirm_back(visitor: Visitor, order: str) -> HttpResponse:
    """Back to the merchant with how the order stands, to the address it named when the service was opened."""
    found = queries.sheet_of(visitor.person.id, visitor.named("ord", order)).order
    told = found.public_id, str(found.state)
    address = returns.way_back(found.agreement, order=told, at=live_now())
    if not address:
        raise NotFound
    return HttpResponseRedirect(address)


@require_safe
@for_person
def confirm_result(visitor: Visitor, order: str) -> HttpResponse:
    """Why an order could not be confirmed; any other outcome stands on the page it came from."""
    found = queries.sheet_of(visitor.person.id, visitor.named("ord", order)).order
    decision = standings.last_decision(found.agreement_id, visitor.person.id, out_order_no=found.out_order_no)
    if found.state != Order.State.CREATED or decision is None or decision.approved:
        return redirect("confirm", order)
    return visitor.show(
        "orders/not_confirmed.html", order=found, decision=decision, host=returns.host_of(found.agreement)
    )


def _held_back(order: Order) -> Refusal | None:
    """Why nobody can say yes to it for now: its merchant was suspended meanwhile, or its service paused."""
    try:
        must_take_new(order.merchant, order.service)
    except (MerchantNotActive, ServicePaused) as refusal:
        return refusal
    return None


def _confirm(visitor: Visitor, order: Order) -> HttpResponse:
    try:
        opening = services.confirm_order(order.id, by=visitor.actor, at=visitor.at)
    except (OrderState, AgreementNotActive, MerchantNotActive, ServicePaused):
        return redirect("confirm", order.public_id)  # which says what became of it meanwhile
    if opening.order is None:
        return redirect("confirm_result", order.public_id)
    messages.success(visitor.request, _("Confirmed. Nothing is deducted before the service ends."))
    return redirect("confirm" if returns.host_of(order.agreement) else "order", order.public_id)


def _decline(visitor: Visitor, order: Order) -> HttpResponse:
    with suppress(OrderState):  # the page says what became of it meanwhile
        services.decline_order(order.id, by=visitor.actor, at=visitor.at)
    return redirect("confirm", order.public_id)
