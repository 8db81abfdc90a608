"""Goods that come back to a merchant: staff say that they came, or why they do not take them."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import sent_back
from billing.models import Return
from billing.services.return_ends import BECAUSE_MAX, confirm_return, refuse_return
from kernel.paging import page as page_of
from kernel.templatetags.house import money
from portal.forms import ask
from portal.services.deeds import note_deed
from portal.staff import Staff, page

RETURNS_A_PAGE = 50
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class Because(forms.Form):
    """Why it is not taken."""

    reason = forms.CharField(
        label=gettext_lazy("Why you refuse it"),
        max_length=BECAUSE_MAX,
        help_text=gettext_lazy("The customer and our staff will see this text as written."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_safe
@page("returns")
def returns(staff: Staff) -> HttpResponse:
    """Every one, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    found = sent_back.returns_of(staff.merchant.id).select_related("order")
    rows, further = page_of(found, cursor=cursor, limit=RETURNS_A_PAGE)
    return staff.show("portal/returns.html", rows=rows, further=further, first=cursor is None)


@_FORM
@page("confirm_return")
def confirm(staff: Staff, returned: str) -> HttpResponse:
    """Between its own transactions the channel is asked, so the log's line comes after."""
    row = _mine(staff, returned)

    def run(_given: dict[str, Any]) -> HttpResponse:
        confirm_return(row.id, by=staff.actor, at=staff.at)
        note_deed(staff.merchant.id, "return_confirmed", row.id, by=staff.actor, at=staff.at)
        staff.tell(_("Confirmed. The refund is charged to you, less the proportional fee."))
        return staff.to("order", row.order.public_id)

    lead = _("%(amount)s will be refunded to the customer, or already has been. This cannot be undone.") % {
        "amount": money(row.amount)
    }
    title = _("Confirm receipt")
    return _asked(staff, row, forms.Form(staff.given), run, title=title, lead=lead)


@_FORM
@page("refuse_return")
def refuse(staff: Staff, returned: str) -> HttpResponse:
    row = _mine(staff, returned)

    def run(given: dict[str, Any]) -> HttpResponse:
        refuse_return(row.id, given["reason"], by=staff.actor, at=staff.at)
        note_deed(staff.merchant.id, "return_refused", row.id, by=staff.actor, at=staff.at, reason=given["reason"])
        staff.tell(_("Our staff will decide and let you know."))
        return staff.to("order", row.order.public_id)

    lead, title = _("Nothing is charged to you until our staff decide."), _("Refuse return")
    return _asked(staff, row, Because(staff.given), run, title=title, lead=lead, danger=True)


def _asked(
    staff: Staff, row: Return, form: forms.Form, run: Any, *, title: str, lead: str, danger: bool = False
) -> HttpResponse:
    about = f"{row.order.title} · {row.carrier} {row.tracking_number}"
    back = staff.url("order", row.order.public_id)
    return ask(staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=about)


def _mine(staff: Staff, returned: str) -> Return:
    return sent_back.return_of(staff.merchant.id, staff.named("ret", returned))
