"""Pages to confirm or decline an order that its merchant opened."""

from contextlib import suppress

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from billing.queries import instruments_of
from credit import queries as standings
from credit import return_urls
from credit.models import Agreement
from credit.refusals import ServicePaused
from credit.services import check_accepts_new
from kernel.clock import live_now
from kernel.refusal import NotFound, Refusal
from merchants.refusals import MerchantNotActive
from orders import queries, services
from orders.models import Order
from orders.refusals import AgreementNotActive, OrderState


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def confirm(visitor: Visitor, order: str) -> HttpResponse:
    """Show the order; POST confirms or declines it."""
    details = queries.person_order_details(visitor.person.id, visitor.parse_id("ord", order))
    if visitor.request.method == "POST":
        return (
            _decline(visitor, details.order) if visitor.posted("answer") == "no" else _confirm(visitor, details.order)
        )
    is_pending = details.order.state == Order.State.CREATED
    is_expired = is_pending and details.order.expires_at is not None and details.order.expires_at <= visitor.at
    is_pending = is_pending and not is_expired
    return visitor.render(
        "orders/confirm.html",
        order=details.order,
        is_pending=is_pending,
        is_expired=is_expired,
        is_stopped=is_pending and details.order.agreement.state != Agreement.State.ACTIVE,
        refusal=_blocking_refusal(details.order) if is_pending else None,
        instruments=instruments_of([visitor.person.id]).get(visitor.person.id, []),
        host=return_urls.return_host(details.order.agreement),
    )


@require_safe
@person_page
def back_to_merchant(visitor: Visitor, order: str) -> HttpResponse:
    """Redirect to the merchant's return URL, given when the service was opened, with the order's state."""
    row = queries.person_order_details(visitor.person.id, visitor.parse_id("ord", order)).order
    order_state = row.public_id, str(row.state)
    url = return_urls.signed_return_url(row.agreement, order=order_state, at=live_now())
    if not url:
        raise NotFound
    return HttpResponseRedirect(url)


@require_safe
@person_page
def confirm_result(visitor: Visitor, order: str) -> HttpResponse:
    """Why an order could not be confirmed; any other outcome redirects to the order's confirmation page."""
    row = queries.person_order_details(visitor.person.id, visitor.parse_id("ord", order)).order
    decision = standings.latest_decision(row.agreement_id, visitor.person.id, out_order_no=row.out_order_no)
    if row.state != Order.State.CREATED or decision is None or decision.approved:
        return redirect("confirm", order)
    return visitor.render(
        "orders/not_confirmed.html", order=row, decision=decision, host=return_urls.return_host(row.agreement)
    )


def _blocking_refusal(order: Order) -> Refusal | None:
    """Why the order cannot be confirmed now: its merchant is suspended or its service paused. None if it can."""
    try:
        check_accepts_new(order.merchant, order.service)
    except (MerchantNotActive, ServicePaused) as refusal:
        return refusal
    return None


def _confirm(visitor: Visitor, order: Order) -> HttpResponse:
    try:
        opening = services.confirm_order(order.id, by=visitor.actor, at=visitor.at)
    except (OrderState, AgreementNotActive, MerchantNotActive, ServicePaused):
        return redirect("confirm", order.public_id)  # shows the current state
    if opening.order is None:
        return redirect("confirm_result", order.public_id)
    messages.success(visitor.request, _("Confirmed. Nothing is deducted before the service ends."))
    return redirect("confirm" if return_urls.return_host(order.agreement) else "order", order.public_id)


def _decline(visitor: Visitor, order: Order) -> HttpResponse:
    with suppress(OrderState):  # the page shows the current state
        services.decline_order(order.id, by=visitor.actor, at=visitor.at)
    return redirect("confirm", order.public_id)
