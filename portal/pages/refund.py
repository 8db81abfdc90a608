"""Staff give money back: how much and why, then once more, with the amount in words, before it goes."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.services.refund import Asked, refund_order
from kernel.forms import plain
from kernel.money import Money
from kernel.templatetags.house import money as shown
from orders import queries as owed
from portal.forms import AmountField, ask, reason_field
from portal.services.deeds import note_deed
from portal.staff import Staff, page


class HowMuch(forms.Form):
    """What is given back, and why. `sure` is the amount that was shown when they were asked once more."""

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = _("Refund amount")
        self.fields["amount"] = AmountField(label=f"{label} ({currency})", currency=currency)
        self.fields["reason"] = reason_field()
        self.fields["sure"] = forms.CharField(required=False, widget=forms.HiddenInput)


@require_http_methods(["GET", "HEAD", "POST"])
@page("refund_order")
def refund(staff: Staff, order: str) -> HttpResponse:
    """Between its own transactions the channel is asked, so the log's line comes after."""
    found = owed.order_of(staff.merchant.id, staff.named("ord", order))
    form = HowMuch(staff.given, currency=found.currency, initial={"amount": plain(found.total - found.refunded)})
    amount = _confirmed(form, staff)
    title, lead = (
        _("Refund order"),
        _("The part not collected yet is cancelled; the rest is refunded to the original payment method."),
    )
    if amount is not None:
        again = HowMuch(
            {"amount": form.data["amount"], "reason": form.data["reason"], "sure": str(amount)}, currency=found.currency
        )
        for name in ("amount", "reason"):
            again.fields[name].widget = forms.HiddenInput()
        money = shown(Money(amount, found.currency))
        lead = _("%(money)s of “%(what)s” will be refunded. This cannot be undone.") % {
            "money": money,
            "what": found.title,
        }
        return staff.show(
            "portal/form.html",
            form=again,
            title=_("Refund %(money)s?") % {"money": money},
            button=_("Confirm refund"),
            back=staff.url("order", order),
            lead=lead,
            danger=True,
        )

    def run(given: dict[str, Any]) -> HttpResponse:
        asked = Asked(amount_minor=given["amount"], reason=given["reason"])
        made, _fresh = refund_order(found.id, asked, by=staff.actor, at=staff.at)
        note_deed(staff.merchant.id, "order_refunded", found.id, by=staff.actor, at=staff.at, reason=made.reason)
        _say(staff, made.state)
        return staff.to("order", order)

    back = staff.url("order", order)
    return ask(staff, form, run, title=title, button=_("Continue"), back=back, lead=lead, about=found.title)


def _confirmed(form: HowMuch, staff: Staff) -> int | None:
    """The amount to ask about once more: what was sent is right, and was not yet shown to them as what goes back."""
    if not staff.posts or not form.is_valid():
        return None
    amount: int = form.cleaned_data["amount"]
    return None if not amount or form.cleaned_data["sure"] == str(amount) else amount


def _say(staff: Staff, state: str) -> None:
    if state == "succeeded":
        staff.tell(_("Refunded."))
    elif state == "pending":
        staff.tell(_("Refund in progress. The result will appear below."))
    else:
        staff.warn(_("Not all of it could be refunded. See the reason below."))
