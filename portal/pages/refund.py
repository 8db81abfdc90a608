"""Refunding an order, with a second page that confirms the amount."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.refund_queries import RefundStatus, refund_status_of
from billing.refusals import RefundedMeanwhile
from billing.services.refunds import RefundDetails, refund_order
from kernel.console_actions import add_errors
from kernel.forms import plain_amount
from kernel.money import Money
from kernel.refusal import Refusal
from kernel.templatetags.formatting import money
from orders import queries as order_queries
from orders.models import Order
from portal.forms import AmountField, reason_field, render_form
from portal.services.audited_actions import record_action
from portal.staff import Staff, merchant_page

#: The most digits of an amount in minor units.
DIGITS_MAX = 18


class RefundForm(forms.Form):
    """Amount and reason. `sure` is the amount, and the total refunded before it, that the confirmation page showed."""

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = _("Refund amount")
        self.fields["amount"] = AmountField(label=f"{label} ({currency})", currency=currency)
        self.fields["reason"] = reason_field()
        self.fields["sure"] = forms.CharField(required=False, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@merchant_page("refund_order")
def refund(staff: Staff, order: str) -> HttpResponse:
    """Refund. The service calls the channel between its own transactions, so the change log follows after it."""
    found = order_queries.order_of(staff.merchant.id, staff.parse_id("ord", order))
    status = refund_status_of(found)
    form = RefundForm(staff.form_data, currency=found.currency, initial={"amount": plain_amount(status.refundable)})
    amount = _amount_to_confirm(form, staff)
    if amount is not None:
        return _render_confirmation(staff, found, form, amount, status)

    def run(data: dict[str, Any]) -> HttpResponse:
        refund_request = RefundDetails(
            amount_minor=data["amount"], reason=data["reason"], refunded_before=_parse_sure(data["sure"])[1]
        )
        try:
            refund_row, _fresh = refund_order(found.id, refund_request, by=staff.actor, at=staff.at)
        except RefundedMeanwhile as refusal:
            now = refund_status_of(found)
            return _render_confirmation(staff, found, form, data["amount"], now, refusal=refusal)
        record_action(
            staff.merchant.id, "order_refunded", found.id, by=staff.actor, at=staff.at, reason=refund_row.reason
        )
        _add_result_message(staff, refund_row.state)
        return staff.redirect_to("order", order)

    title, back = _("Refund order"), staff.url("order", order)
    text = _("The part not collected yet is cancelled; the rest is refunded to the original payment method.")
    lead = f"{_status_text(status)} {text}"
    return render_form(staff, form, run, title=title, button=_("Continue"), back=back, lead=lead, about=found.title)


def _render_confirmation(
    staff: Staff, order: Order, form: RefundForm, amount: int, status: RefundStatus, *, refusal: Refusal | None = None
) -> HttpResponse:
    """The second page: the amount once more, with the entered values in hidden fields.

    With `refusal`, why what was confirmed before is to be confirmed again.
    """
    sure = f"{amount}/{status.refunded.minor}"
    confirmation = RefundForm(
        {"amount": form.data["amount"], "reason": form.data["reason"], "sure": sure}, currency=order.currency
    )
    if refusal is not None:
        add_errors(confirmation, refusal)
    for name in ("amount", "reason"):
        confirmation.fields[name].widget = forms.HiddenInput()
    amount_text = money(Money(amount, order.currency))
    lead = _("%(money)s of “%(what)s” will be refunded. This cannot be undone.")
    return staff.render(
        "portal/form.html",
        status=422 if refusal else 200,
        form=confirmation,
        title=_("Refund %(money)s?") % {"money": amount_text},
        button=_("Confirm refund"),
        back=staff.url("order", order.public_id),
        lead=f"{_status_text(status)} {lead % {'money': amount_text, 'what': order.title}}",
        danger=True,
    )


def _amount_to_confirm(form: RefundForm, staff: Staff) -> int | None:
    """The amount to confirm; None if the form is not valid, or this amount was confirmed already."""
    if not staff.is_post or not form.is_valid():
        return None
    amount: int = form.cleaned_data["amount"]
    return None if not amount or _parse_sure(form.cleaned_data["sure"])[0] == amount else amount


def _parse_sure(sure: str) -> tuple[int | None, int | None]:
    """The confirmed amount and the total refunded before it, in minor units; both None if it is neither."""
    confirmed, _slash, refunded = sure.partition("/")
    if not (_is_number(confirmed) and _is_number(refunded)):
        return None, None
    return int(confirmed), int(refunded)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX


def _status_text(status: RefundStatus) -> str:
    text = _("Already refunded: %(refunded)s. Refundable: %(refundable)s.")
    return text % {"refunded": money(status.refunded), "refundable": money(status.refundable)}


def _add_result_message(staff: Staff, state: str) -> None:
    if state == "succeeded":
        staff.add_message(_("Refunded."))
    elif state == "pending":
        staff.add_message(_("Refund in progress. The result will appear below."))
    else:
        staff.add_warning(_("Not all of it could be refunded. See the reason below."))
