"""The page of one order, and moving its next deduction to another day."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.visitor import Visitor, person_page
from billing import instrument_queries, queries
from billing.forecast import forecast_order
from billing.overdue_status import overdue_status_of
from billing.receipt import has_receipt, refunded_amount
from billing.services.attempt_plans import move_next_attempt
from billing.services.returns import is_returnable
from kernel import ids
from kernel.forms import new_form_token, plain_amount
from kernel.refusal import NotFound, Refusal
from kernel.templatetags.formatting import appointment
from orders import queries as orders
from orders.models import Obligation, Order
from orders.queries import OrderDetails
from orders.services import can_report


@require_safe
@person_page
def order(visitor: Visitor, order: str) -> HttpResponse:
    """The order with its amounts, payments and upcoming deductions."""
    return render_order(visitor, own_order(visitor, order))


@require_http_methods(["GET", "HEAD", "POST"])
@person_page
def move(visitor: Visitor, order: str) -> HttpResponse:
    """Move the next deduction to another day."""
    details = own_order(visitor, order)
    if visitor.request.method != "POST":
        return redirect("order", order)
    obligation_id = ids.parse(Obligation.prefix, visitor.posted("obligation"))
    row = next((row for row in details.obligations if row.id == obligation_id), None)
    if row is None:
        raise NotFound
    days = {localdate(offered).isoformat(): offered for offered in _reschedule_days(visitor, details, row)}
    try:
        if not visitor.claim_submission("move"):
            return redirect("order", order)
        with visitor.allow_resubmission():
            # A day that was not offered is refused by the service, which knows why.
            move_next_attempt(row.id, days.get(visitor.posted("day"), visitor.at), at=visitor.at)
    except Refusal as refusal:
        return render_order(visitor, own_order(visitor, order), status=refusal.status, move_refusal=refusal)
    new_date = appointment(days[visitor.posted("day")])
    messages.success(visitor.request, _("The deduction date was changed to %(at)s.") % {"at": new_date})
    return redirect("order", order)


def own_order(visitor: Visitor, order: str) -> OrderDetails:
    """The person's own order with its obligations.

    Raises:
        NotFound: missing, or another person's.
    """
    return orders.person_order_details(visitor.person.id, visitor.parse_id("ord", order))


def _next_obligation(details: OrderDetails) -> Obligation | None:
    """The obligation that is deducted next. A late fee is deducted together with its debt."""
    planned = [row for row in details.obligations if row.plan and row.in_flight is None]
    return min(planned, key=lambda row: (row.kind == Obligation.Kind.LATE_FEE, row.plan[0]["at"]), default=None)


def _reschedule_days(visitor: Visitor, details: OrderDetails, row: Obligation) -> list[datetime]:
    """The days to which the person may move the deduction of this obligation."""
    name = details.order.service.retry_policy
    policy = queries.retry_policies_at([name], visitor.at)[name]
    return queries.rescheduling_options(row, policy, zone=visitor.person.zone, at=visitor.at)


def _help_options(details: OrderDetails, *, at: datetime) -> dict[str, Any]:
    """The help available for the order: open report, report, return, plan."""
    owed = any(row.state in Obligation.OWED for row in details.obligations)
    report, is_paused = orders.open_report_of(details.order.id), any(row.paused_at for row in details.obligations)
    return {
        "open": report,
        "reportable": report is None and can_report(details.order, at=at),
        "returnable": is_returnable(details.order, at=at),
        "easeable": owed and not details.in_flight and not is_paused and details.order.eased_at is None,
        "plan": owed and details.order.eased_at is not None,
    }


def _history_context(order: Order, *, at: datetime) -> dict[str, Any]:
    """Template context of the order's history, attempts, refunds and returns."""
    attempts = list(queries.attempts_of_order(order.id))
    return {
        "has_started": order.starts_at is None or order.starts_at <= at,
        "history": order.history.order_by("-seq"),
        "attempts": attempts,
        "receipt": has_receipt(order, attempts),
        "refunds": (refunds := list(queries.refunds_of(order.id))),
        "refunded_amount": refunded_amount(order, refunds),
        "disputed": queries.disputed_lines(attempts),
        "returns": list(order.returns.order_by("-id")),
    }


def render_order(
    visitor: Visitor,
    details: OrderDetails,
    *,
    status: int = 200,
    refusal: Refusal | None = None,
    move_refusal: Refusal | None = None,
) -> HttpResponse:
    """Render the order's page, with the refusal of a payment or of a move, if any."""
    next_due = _next_obligation(details)
    days = _reschedule_days(visitor, details, next_due) if next_due else []
    days_in_grace = [day for day in days if next_due and (next_due.overdue_from is None or day < next_due.overdue_from)]
    instruments = queries.instruments_of([visitor.person.id]).get(visitor.person.id, [])
    planned = queries.upcoming_attempts(details.obligations, instruments)
    is_paused = any(row.paused_at for row in details.obligations)
    return visitor.render(
        "billing/order.html",
        status=status,
        details=details,
        order=details.order,
        **_history_context(details.order, at=visitor.at),
        planned=planned,
        forecast=forecast_order(details, planned, visitor.person.zone),
        late=overdue_status_of(details),
        pauses=list(details.order.pauses.filter(ended_at__isnull=True).order_by("began_at")) if is_paused else [],
        next_due=next_due,
        days=days,
        days_in_grace=days_in_grace,
        days_past_grace=days[len(days_in_grace) :],
        instruments=instruments,
        closed=instrument_queries.closed_instruments(visitor.person.id),
        balance=queries.wallet_balance(visitor.person.id),
        help=_help_options(details, at=visitor.at),
        token=new_form_token(),
        move_token=new_form_token(),
        refusal=refusal,
        move_refusal=move_refusal,
        chosen=visitor.posted("instrument"),
        chosen_day=visitor.posted("day"),
        typed=visitor.posted("amount") or plain_amount(details.owed),
    )
