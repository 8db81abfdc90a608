"""Disputes of a merchant's orders: the list, one dispute, and the form that submits evidence."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import dispute_queries
from billing.dispute_queries import MerchantDispute
from billing.services.dispute_evidence import Evidence
from kernel.paging import paginate
from portal.forms import render_form
from portal.services.audited_actions import submit_dispute_evidence
from portal.staff import Staff, merchant_page

DISPUTES_A_PAGE = 50


class EvidenceForm(forms.Form):
    """Evidence for the channel."""

    statement = forms.CharField(
        label=gettext_lazy("Evidence statement"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("What was agreed, what was delivered, and the proof."),
    )
    communication = forms.CharField(
        label=gettext_lazy("Communication with the customer"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    carrier = forms.CharField(label=gettext_lazy("Carrier"), max_length=40, required=False)
    tracking_number = forms.CharField(
        label=gettext_lazy("Tracking number"),
        max_length=40,
        required=False,
        validators=[RegexValidator(r"\A[0-9A-Za-z\-]+\Z", gettext_lazy("Letters, digits and hyphens only."))],
    )


@require_safe
@merchant_page("disputes")
def dispute_list(staff: Staff) -> HttpResponse:
    """All disputes, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, next_cursor = paginate(
        dispute_queries.disputes_of(staff.merchant.id), cursor=cursor, limit=DISPUTES_A_PAGE, is_small=True
    )
    shown = [
        (part, part.can_answer(at=staff.at)) for part in dispute_queries.merchant_disputes(staff.merchant.id, rows)
    ]
    return staff.render("portal/disputes.html", rows=shown, next_cursor=next_cursor, is_first_page=cursor is None)


@require_safe
@merchant_page("dispute")
def dispute(staff: Staff, dispute: str) -> HttpResponse:
    part = _find_dispute(staff, dispute)
    return staff.render("portal/dispute.html", part=part, answerable=part.can_answer(at=staff.at))


@require_http_methods(["GET", "HEAD", "POST"])
@merchant_page("answer_dispute")
def submit_evidence(staff: Staff, dispute: str) -> HttpResponse:
    """Submit evidence, once and until the deadline."""
    part = _find_dispute(staff, dispute)

    def run(data: dict[str, Any]) -> HttpResponse:
        submit_dispute_evidence(staff.merchant.id, part.dispute.id, Evidence(**data), by=staff.actor, at=staff.at)
        staff.add_message(_("Thank you. It will be submitted to the channel, which then decides."))
        return staff.redirect_to("dispute", dispute)

    return render_form(
        staff,
        EvidenceForm(staff.form_data),
        run,
        title=_("Submit dispute evidence"),
        button=_("Submit evidence"),
        back=staff.url("dispute", dispute),
        lead=_("It is sent to the channel as written and cannot be changed afterwards."),
        about=part.shares[0].order.title,
    )


def _find_dispute(staff: Staff, dispute: str) -> MerchantDispute:
    return dispute_queries.merchant_dispute(
        staff.merchant.id, dispute_queries.dispute_of(staff.merchant.id, staff.parse_id("dsp", dispute))
    )
