"""Returns: the list, and confirming or refusing receipt of the goods."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import return_queries
from billing.models import Return
from billing.services.return_decisions import REASON_MAX, confirm_return, refuse_return
from kernel.paging import paginate
from kernel.templatetags.formatting import money
from portal.forms import render_form
from portal.services.audited_actions import record_action
from portal.staff import Staff, merchant_page

RETURNS_A_PAGE = 50
_FORM = require_http_methods(["GET", "HEAD", "POST"])


class RefusalForm(forms.Form):
    """Why the return is refused."""

    reason = forms.CharField(
        label=gettext_lazy("Why you refuse it"),
        max_length=REASON_MAX,
        help_text=gettext_lazy("The customer and our staff will see this text as written."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_safe
@merchant_page("returns")
def return_list(staff: Staff) -> HttpResponse:
    """All returns, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    found = return_queries.returns_of(staff.merchant.id).select_related("order")
    rows, next_cursor = paginate(found, cursor=cursor, limit=RETURNS_A_PAGE)
    return staff.render("portal/returns.html", rows=rows, next_cursor=next_cursor, is_first_page=cursor is None)


@_FORM
@merchant_page("confirm_return")
def confirm(staff: Staff, returned: str) -> HttpResponse:
    """Confirm. The service calls the channel between its own transactions, so the change log follows after it."""
    row = _find_return(staff, returned)

    def run(_data: dict[str, Any]) -> HttpResponse:
        confirm_return(row.id, by=staff.actor, at=staff.at)
        record_action(staff.merchant.id, "return_confirmed", row.id, by=staff.actor, at=staff.at)
        staff.add_message(_("Confirmed. The refund is charged to you, less the proportional fee."))
        return staff.redirect_to("order", row.order.public_id)

    lead = _("%(amount)s will be refunded to the customer, or already has been. This cannot be undone.") % {
        "amount": money(row.amount)
    }
    title = _("Confirm receipt")
    return _render_return_form(staff, row, forms.Form(staff.form_data), run, title=title, lead=lead)


@_FORM
@merchant_page("refuse_return")
def refuse(staff: Staff, returned: str) -> HttpResponse:
    row = _find_return(staff, returned)

    def run(data: dict[str, Any]) -> HttpResponse:
        refuse_return(row.id, data["reason"], by=staff.actor, at=staff.at)
        record_action(staff.merchant.id, "return_refused", row.id, by=staff.actor, at=staff.at, reason=data["reason"])
        staff.add_message(_("Our staff will decide and let you know."))
        return staff.redirect_to("order", row.order.public_id)

    lead, title = _("Nothing is charged to you until our staff decide."), _("Refuse return")
    return _render_return_form(staff, row, RefusalForm(staff.form_data), run, title=title, lead=lead, danger=True)


def _render_return_form(
    staff: Staff, row: Return, form: forms.Form, run: Any, *, title: str, lead: str, danger: bool = False
) -> HttpResponse:
    about = f"{row.order.title} · {row.carrier} {row.tracking_number}"
    back = staff.url("order", row.order.public_id)
    return render_form(staff, form, run, title=title, button=title, back=back, lead=lead, danger=danger, about=about)


def _find_return(staff: Staff, returned: str) -> Return:
    return return_queries.return_of(staff.merchant.id, staff.parse_id("ret", returned))
