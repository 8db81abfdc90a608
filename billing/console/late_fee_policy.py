"""The page to publish a version of the late fee and grace period policy."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.forms import PercentField, format_percent
from kernel.maker_checker import JsonDict
from kernel.policy_pages import Policy, approval_type_of_policy, publish_page
from kernel.templatetags.formatting import money
from merchants import services as merchants
from merchants.models import LatePolicy
from merchants.rules import LateBounds
from orders import services as orders

PUBLISHERS = ("supervisor", "risk")
MENU_ITEM = MenuItem(
    "late_policy",
    gettext_lazy("Late fee and grace period policy"),
    gettext_lazy("Minimum grace period and maximum late fees"),
    PUBLISHERS,
)


class LateFeePolicyForm(ReasonForm):
    """The terms of a new version, initially those of the current one."""

    grace_hours_least = forms.IntegerField(
        label=gettext_lazy("Minimum grace period (hours)"),
        help_text=gettext_lazy(
            "No debt becomes overdue sooner than this after its due time, whatever the service specifies."
        ),
    )
    daily_bps_most = PercentField(
        label=gettext_lazy("Maximum late fee per day (%)"),
        help_text=gettext_lazy("Of the unpaid amount. 0 means none."),
    )
    cap_bps_most = PercentField(
        label=gettext_lazy("Maximum total late fees (%)"),
        help_text=gettext_lazy("Of the order amount. 0 means none."),
    )


def _form_fields(terms: JsonDict) -> JsonDict:
    percentages = {name: format_percent(terms[name]) for name in ("daily_bps_most", "cap_bps_most")}
    return {"grace_hours_least": terms["grace_hours_least"], **percentages}


def _terms_from(data: dict[str, Any]) -> JsonDict:
    return {name: data[name] for name in LateFeePolicyForm.base_fields if name != "note"}


def _preview_impact(terms: JsonDict, at: datetime) -> StrOrPromise:
    seen = orders.preview_late_terms(LateBounds.from_terms(terms), at=at)
    text = _(
        "Of %(services)d live services, %(asking)d specify more than this policy allows; their settings remain on"
        " record only. Of %(orders)d orders opened in the last 30 days, %(kinder)d would have had more lenient"
        " terms."
    )
    saved = _("Of the %(fee)s in late fees accrued on them, %(less)s would not have been charged.")
    fee_lines = [saved % {"fee": money(fee), "less": money(not_due)} for fee, not_due in seen.fees]
    return " ".join([text % asdict(seen), *(fee_lines or [_("No late fees accrued on these orders.")])])


POLICY = Policy(
    name="late_policy",
    label=MENU_ITEM.label,
    approval_label=gettext_lazy("Publish late fee and grace period policy"),
    model=LatePolicy,
    publishers=PUBLISHERS,
    form=LateFeePolicyForm,
    terms_to_fields=_form_fields,
    fields_to_terms=_terms_from,
    validate=merchants.validate_late_terms,
    preview_impact=_preview_impact,
)
APPROVAL_TYPES = [approval_type_of_policy(POLICY)]


@console_page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Publish a version. It applies to orders opened from then on."""
    return publish_page(POLICY, colleague)
