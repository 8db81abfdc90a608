"""One order: what it comes to, how it is collected, what happened; and what staff may do to it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import disputed, sent_back
from billing import queries as billing
from billing.services import pay
from kernel.forms import plain
from kernel.ids import public
from kernel.money import Money
from merchants import queries as merchants
from orders import queries as owed
from orders import rules
from orders import services as orders
from orders.models import Message, Order
from orders.queries import Sheet
from orders.refusals import ConcernClosed
from portal.forms import AmountField, ask, reason_field
from portal.services.deeds import act_on_order, note_deed
from portal.staff import Staff, Words, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
EVENTS_SHOWN = 50
#: In which states an order can be done what to; the services have the last word.
POSSIBLE = {
    "complete_order": {"open"},
    "cancel_order": {"created", "open", "completed", "overdue"},
    "lower_order": {"completed", "overdue"},
    "mark_order_paid": {"completed", "overdue"},
    "refund_order": {"completed", "overdue", "deducted"},
    "collect_order": {"completed", "overdue"},
}


@require_safe
@page("order")
def order(staff: Staff, order: str) -> HttpResponse:
    found = _mine(staff, order)
    sheet = Sheet(found, list(found.obligations.all()))
    usable = billing.instruments_of([found.person_id]).get(found.person_id, [])
    events = list(merchants.events_about(staff.merchant.id, found.id)[:EVENTS_SHOWN])
    copies: dict[Any, list[Any]] = {}
    for copy in merchants.deliveries_of(staff.merchant.id).filter(event__in=events):
        copies.setdefault(copy.event_id, []).append(copy)
    return staff.show(
        "portal/order.html",
        order=found,
        person=public("per", found.person_id),
        sheet=sheet,
        coming=billing.coming_of(sheet.obligations, usable),
        still=any(row.paused_at for row in sheet.obligations),
        attempts=billing.attempts_at(found.id),
        refunds=billing.refunds_of(found.id),
        returns=sent_back.returns_of(staff.merchant.id, order_id=found.id).order_by("-pk"),
        taken_back=disputed.disputes_of(staff.merchant.id, order_id=found.id).order_by("-pk"),
        history=found.history.order_by("seq"),
        reports=owed.reports_of(found.id),
        events=[(event, copies.get(event.id, [])) for event in events],
        possible={name for name in _possible(sheet, at=staff.at) if staff.may[name]},
    )


def _possible(sheet: Sheet, *, at: datetime) -> set[str]:
    found = {name for name, states in POSSIBLE.items() if sheet.order.state in states}
    return found if orders.is_collectable(sheet.order, sheet.obligations, at=at) else found - {"collect_order"}


class Answer(forms.Form):
    """What the person is told about the problem they reported."""

    text = forms.CharField(
        label=gettext_lazy("Your answer"), max_length=rules.TEXT_MAX, widget=forms.Textarea(attrs={"rows": 5})
    )


class Total(forms.Form):
    """What it came to, or what is asked for instead."""

    def __init__(self, *args: Any, currency: str, label: Words, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["total"] = AmountField(label=f"{label} ({currency})", currency=currency)
        self.fields["reason"] = reason_field()


class Why(forms.Form):
    reason = reason_field()


class Elsewhere(forms.Form):
    reference = forms.CharField(
        label=gettext_lazy("How it was paid"),
        max_length=64,
        help_text=gettext_lazy("For example a till, receipt or transfer number."),
    )


@_FORM
@page("complete_order")
def complete(staff: Staff, order: str) -> HttpResponse:
    found = _mine(staff, order)
    form = Total(
        staff.given,
        currency=found.currency,
        label=_("Final amount"),
        initial={"total": plain(Money(found.amount_minor, found.currency)) if found.amount_minor else ""},
    )

    def run(given: dict[str, Any]) -> Order:
        final = orders.Final(total=given["total"])
        return orders.complete_order(found.id, final, by=staff.actor, at=staff.at)

    lead = _("The service has ended. The amount is due right away, up to %(ceiling)s.") % {"ceiling": found.ceiling}
    return _deed(staff, found, form, run, title=_("Complete order"), verb="order_completed", lead=lead)


@_FORM
@page("cancel_order")
def cancel(staff: Staff, order: str) -> HttpResponse:
    found = _mine(staff, order)

    def run(given: dict[str, Any]) -> Order:
        return orders.cancel_order(found.id, given["reason"], by=staff.actor, at=staff.at)

    lead = _("Nothing more is owed for this order. This cannot be undone.")
    title = _("Cancel this order")
    return _deed(staff, found, Why(staff.given), run, title=title, verb="order_cancelled", lead=lead, danger=True)


@_FORM
@page("lower_order")
def lower(staff: Staff, order: str) -> HttpResponse:
    found = _mine(staff, order)
    form = Total(staff.given, currency=found.currency, label=_("New total"), initial={"total": plain(found.total)})

    def run(given: dict[str, Any]) -> Order:
        return orders.lower_total(found.id, given["total"], given["reason"], by=staff.actor, at=staff.at)

    lead = _("The new total must be below %(total)s and cannot be raised again.") % {"total": found.total}
    return _deed(staff, found, form, run, title=_("Reduce the total"), verb="order_lowered", lead=lead)


@_FORM
@page("mark_order_paid")
def mark_paid(staff: Staff, order: str) -> HttpResponse:
    found = _mine(staff, order)

    def run(given: dict[str, Any]) -> Order:
        return orders.mark_paid(found.id, None, given["reference"], by=staff.actor, at=staff.at)

    lead = _("The customer has paid you another way. Nothing more is deducted for this order.")
    title = _("Mark as paid outside the platform")
    return _deed(staff, found, Elsewhere(staff.given), run, title=title, verb="order_marked_paid", lead=lead)


@_FORM
@page("collect_order")
def collect(staff: Staff, order: str) -> HttpResponse:
    """Between its own transactions the channel is asked, so the log's line comes after."""
    found = _mine(staff, order)

    def run(_given: dict[str, Any]) -> HttpResponse:
        made = pay.collect_now(found.id, by=staff.actor, at=staff.at)
        note_deed(staff.merchant.id, "order_collect_asked", found.id, by=staff.actor, at=staff.at)
        paid = bool(made) and all(row.state == "succeeded" for row in made)
        staff.tell(
            _("Deducted.") if paid else _("A deduction was attempted. See the result in the deduction attempts below.")
        )
        return staff.to("order", order)

    return ask(
        staff,
        forms.Form(staff.given),
        run,
        title=_("Deduct now"),
        button=_("Deduct now"),
        back=staff.url("order", order),
        lead=_("Tries one deduction now, outside the schedule. The schedule does not change."),
    )


@_FORM
@page("answer_report")
def answer(staff: Staff, order: str) -> HttpResponse:
    """The merchant says something to the problem that the person reported; who decides is us."""
    found = _mine(staff, order)
    report = owed.open_report(found.id)
    said = report.messages.latest("id").text if report else _("No reports waiting for a reply.")

    def run(given: dict[str, Any]) -> HttpResponse:
        def act() -> Order:
            if report is None:
                raise ConcernClosed
            orders.say(report.id, given["text"], author=Message.Author.MERCHANT, by=staff.actor, at=staff.at)
            return found

        act_on_order(staff.merchant.id, found.id, "report_answered", act, reason="", by=staff.actor, at=staff.at)
        staff.tell(
            _(
                "The customer has been notified. Our staff decide;"
                " you can reduce or cancel the order yourself at any time."
            )
        )
        return staff.to("order", order)

    title, back = _("Reply to report"), staff.url("order", order)
    return ask(staff, Answer(staff.given), run, title=title, button=title, back=back, lead=said, about=found.title)


def _mine(staff: Staff, order: str) -> Order:
    return owed.order_of(staff.merchant.id, staff.named("ord", order))


def _deed(
    staff: Staff,
    found: Order,
    form: forms.Form,
    act: Callable[[dict[str, Any]], Order],
    *,
    title: str,
    verb: str,
    lead: str,
    danger: bool = False,
) -> HttpResponse:
    def run(given: dict[str, Any]) -> HttpResponse:
        reason = str(given.get("reason") or given.get("reference", ""))
        act_on_order(staff.merchant.id, found.id, verb, partial(act, given), reason=reason, by=staff.actor, at=staff.at)
        staff.tell(_("Done."))
        return staff.to("order", found.public_id)

    back = staff.url("order", found.public_id)
    return ask(staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=found.title)
