"""One order with its amounts, deductions and history, and the actions staff can take on it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import dispute_queries, return_queries
from billing import queries as billing_queries
from billing.services import pay
from kernel.forms import plain_amount
from kernel.ids import public
from kernel.money import Money
from merchants import queries as merchant_queries
from orders import queries as order_queries
from orders import rules
from orders import services as orders
from orders.models import Message, Order
from orders.queries import OrderDetails
from orders.refusals import ConcernClosed
from portal.forms import AmountField, reason_field, render_form
from portal.services.audited_actions import record_action, run_order_action
from portal.staff import Staff, StrOrPromise, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
EVENTS_SHOWN = 50
#: By action, the order states that offer it on the page; the services check again.
ACTION_STATES = {
    "complete_order": {"open"},
    "cancel_order": {"created", "open", "completed", "overdue"},
    "lower_order": {"completed", "overdue"},
    "mark_order_paid": {"completed", "overdue"},
    "refund_order": {"completed", "overdue", "deducted"},
    "collect_order": {"completed", "overdue"},
}


@require_safe
@merchant_page("order")
def order(staff: Staff, order: str) -> HttpResponse:
    found = _find_order(staff, order)
    details = OrderDetails(found, list(found.obligations.all()))
    usable = billing_queries.instruments_of([found.person_id]).get(found.person_id, [])
    events = list(merchant_queries.events_of_subject(staff.merchant.id, found.id)[:EVENTS_SHOWN])
    deliveries: dict[Any, list[Any]] = {}
    for delivery in merchant_queries.deliveries_of(staff.merchant.id).filter(event__in=events):
        deliveries.setdefault(delivery.event_id, []).append(delivery)
    return staff.render(
        "portal/order.html",
        order=found,
        person=public("per", found.person_id),
        details=details,
        upcoming=billing_queries.upcoming_attempts(details.obligations, usable),
        is_paused=any(row.paused_at for row in details.obligations),
        attempts=billing_queries.attempts_of_order(found.id),
        refunds=billing_queries.refunds_of(found.id),
        returns=return_queries.returns_of(staff.merchant.id, order_id=found.id).order_by("-pk"),
        disputes=dispute_queries.disputes_of(staff.merchant.id, order_id=found.id).order_by("-pk"),
        history=found.history.order_by("seq"),
        reports=order_queries.reports_of(found.id),
        events=[(event, deliveries.get(event.id, [])) for event in events],
        possible_actions={name for name in _possible_actions(details, at=staff.at) if staff.permissions[name]},
    )


def _possible_actions(details: OrderDetails, *, at: datetime) -> set[str]:
    found = {name for name, states in ACTION_STATES.items() if details.order.state in states}
    return found if orders.is_collectable(details.order, details.obligations, at=at) else found - {"collect_order"}


class AnswerForm(forms.Form):
    """The merchant's reply to a problem report."""

    text = forms.CharField(
        label=gettext_lazy("Your answer"), max_length=rules.TEXT_MAX, widget=forms.Textarea(attrs={"rows": 5})
    )


class TotalForm(forms.Form):
    """A final or reduced total, with a reason."""

    def __init__(self, *args: Any, currency: str, label: StrOrPromise, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["total"] = AmountField(label=f"{label} ({currency})", currency=currency)
        self.fields["reason"] = reason_field()


class ReasonForm(forms.Form):
    reason = reason_field()


class PaymentReferenceForm(forms.Form):
    reference = forms.CharField(
        label=gettext_lazy("How it was paid"),
        max_length=64,
        help_text=gettext_lazy("For example a till, receipt or transfer number."),
    )


@_FORM
@merchant_page("complete_order")
def complete(staff: Staff, order: str) -> HttpResponse:
    found = _find_order(staff, order)
    form = TotalForm(
        staff.form_data,
        currency=found.currency,
        label=_("Final amount"),
        initial={"total": plain_amount(Money(found.amount_minor, found.currency)) if found.amount_minor else ""},
    )

    def run(data: dict[str, Any]) -> Order:
        final = orders.CompletionRequest(total=data["total"])
        return orders.complete_order(found.id, final, by=staff.actor, at=staff.at)

    lead = _("The service has ended. The amount is due right away, up to %(ceiling)s.") % {"ceiling": found.ceiling}
    return _order_action(staff, found, form, run, title=_("Complete order"), verb="order_completed", lead=lead)


@_FORM
@merchant_page("cancel_order")
def cancel(staff: Staff, order: str) -> HttpResponse:
    found = _find_order(staff, order)

    def run(data: dict[str, Any]) -> Order:
        return orders.cancel_order(found.id, data["reason"], by=staff.actor, at=staff.at)

    lead = _("Nothing more is owed for this order. This cannot be undone.")
    title = _("Cancel this order")
    return _order_action(
        staff, found, ReasonForm(staff.form_data), run, title=title, verb="order_cancelled", lead=lead, danger=True
    )


@_FORM
@merchant_page("lower_order")
def lower(staff: Staff, order: str) -> HttpResponse:
    found = _find_order(staff, order)
    form = TotalForm(
        staff.form_data, currency=found.currency, label=_("New total"), initial={"total": plain_amount(found.total)}
    )

    def run(data: dict[str, Any]) -> Order:
        return orders.reduce_total(found.id, data["total"], data["reason"], by=staff.actor, at=staff.at)

    lead = _("The new total must be below %(total)s and cannot be raised again.") % {"total": found.total}
    return _order_action(staff, found, form, run, title=_("Reduce the total"), verb="order_lowered", lead=lead)


@_FORM
@merchant_page("mark_order_paid")
def mark_paid(staff: Staff, order: str) -> HttpResponse:
    found = _find_order(staff, order)

    def run(data: dict[str, Any]) -> Order:
        return orders.mark_paid(found.id, None, data["reference"], by=staff.actor, at=staff.at)

    lead = _("The customer has paid you another way. Nothing more is deducted for this order.")
    title = _("Mark as paid outside the platform")
    return _order_action(
        staff, found, PaymentReferenceForm(staff.form_data), run, title=title, verb="order_marked_paid", lead=lead
    )


@_FORM
@merchant_page("collect_order")
def collect(staff: Staff, order: str) -> HttpResponse:
    """Deduct now. The service calls the channel between its own transactions, so the change log follows after it."""
    found = _find_order(staff, order)

    def run(_data: dict[str, Any]) -> HttpResponse:
        deductions = pay.collect_now(found.id, by=staff.actor, at=staff.at)
        record_action(staff.merchant.id, "order_collect_asked", found.id, by=staff.actor, at=staff.at)
        paid = bool(deductions) and all(row.state == "succeeded" for row in deductions)
        staff.add_message(
            _("Deducted.") if paid else _("A deduction was attempted. See the result in the deduction attempts below.")
        )
        return staff.redirect_to("order", order)

    return render_form(
        staff,
        forms.Form(staff.form_data),
        run,
        title=_("Deduct now"),
        button=_("Deduct now"),
        back=staff.url("order", order),
        lead=_("Tries one deduction now, outside the schedule. The schedule does not change."),
    )


@_FORM
@merchant_page("answer_report")
def answer_report(staff: Staff, order: str) -> HttpResponse:
    """Reply to the customer's problem report; platform staff decide it."""
    found = _find_order(staff, order)
    report = order_queries.open_report_of(found.id)
    report_text = report.messages.latest("id").text if report else _("No reports waiting for a reply.")

    def run(data: dict[str, Any]) -> HttpResponse:
        def act() -> Order:
            if report is None:
                raise ConcernClosed
            orders.add_message(report.id, data["text"], author=Message.Author.MERCHANT, by=staff.actor, at=staff.at)
            return found

        run_order_action(staff.merchant.id, found.id, "report_answered", act, reason="", by=staff.actor, at=staff.at)
        staff.add_message(
            _(
                "The customer has been notified. Our staff decide;"
                " you can reduce or cancel the order yourself at any time."
            )
        )
        return staff.redirect_to("order", order)

    title, back = _("Reply to report"), staff.url("order", order)
    return render_form(
        staff,
        AnswerForm(staff.form_data),
        run,
        title=title,
        button=title,
        back=back,
        lead=report_text,
        about=found.title,
    )


def _find_order(staff: Staff, order: str) -> Order:
    return order_queries.order_of(staff.merchant.id, staff.parse_id("ord", order))


def _order_action(
    staff: Staff,
    found: Order,
    form: forms.Form,
    action: Callable[[dict[str, Any]], Order],
    *,
    title: str,
    verb: str,
    lead: str,
    danger: bool = False,
) -> HttpResponse:
    def run(data: dict[str, Any]) -> HttpResponse:
        reason = str(data.get("reason") or data.get("reference", ""))
        run_order_action(
            staff.merchant.id, found.id, verb, partial(action, data), reason=reason, by=staff.actor, at=staff.at
        )
        staff.add_message(_("Done."))
        return staff.redirect_to("order", found.public_id)

    back = staff.url("order", found.public_id)
    return render_form(
        staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=found.title
    )
