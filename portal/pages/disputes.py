"""What channels took back of a merchant's orders: the list, each of them, and a form to say what speaks against it."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import disputed
from billing.disputed import Part
from billing.services.answers import Evidence
from kernel.paging import page as page_of
from portal.forms import ask
from portal.services.deeds import say_against
from portal.staff import Staff, page

DISPUTES_A_PAGE = 50


class Answer(forms.Form):
    """What the channel is told."""

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
@page("disputes")
def disputes(staff: Staff) -> HttpResponse:
    """Every one, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, further = page_of(disputed.disputes_of(staff.merchant.id), cursor=cursor, limit=DISPUTES_A_PAGE, few=True)
    shown = [(part, part.answerable(at=staff.at)) for part in disputed.parts_of(staff.merchant.id, rows)]
    return staff.show("portal/disputes.html", rows=shown, further=further, first=cursor is None)


@require_safe
@page("dispute")
def dispute(staff: Staff, dispute: str) -> HttpResponse:
    part = _mine(staff, dispute)
    return staff.show("portal/dispute.html", part=part, answerable=part.answerable(at=staff.at))


@require_http_methods(["GET", "HEAD", "POST"])
@page("answer_dispute")
def answer(staff: Staff, dispute: str) -> HttpResponse:
    """Said once, until the deadline; then it is the channel's to decide."""
    part = _mine(staff, dispute)

    def run(given: dict[str, Any]) -> HttpResponse:
        say_against(staff.merchant.id, part.dispute.id, Evidence(**given), by=staff.actor, at=staff.at)
        staff.tell(_("Thank you. It will be submitted to the channel, which then decides."))
        return staff.to("dispute", dispute)

    return ask(
        staff,
        Answer(staff.given),
        run,
        title=_("Submit dispute evidence"),
        button=_("Submit evidence"),
        back=staff.url("dispute", dispute),
        lead=_("It is sent to the channel as written and cannot be changed afterwards."),
        about=part.shares[0].order.title,
    )


def _mine(staff: Staff, dispute: str) -> Part:
    return disputed.part_of(staff.merchant.id, disputed.dispute_of(staff.merchant.id, staff.named("dsp", dispute)))
