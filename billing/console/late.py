"""The policy of late fees and grace: what services may say of it at most, and another version from now on."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel.console_actions import Colleague, Desk, VerbForm, Words, page
from kernel.forms import PercentField, percent
from kernel.maker_checker import Plain
from kernel.policy_pages import Policy, matter_of_policy, publish_page
from kernel.templatetags.house import money
from merchants import services as merchants
from merchants.models import LatePolicy
from merchants.rules import LateBounds
from orders import services as orders

PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "late_policy",
    gettext_lazy("Late fee and grace period policy"),
    gettext_lazy("Minimum grace period and maximum late fees"),
    PUBLISHERS,
)


class LateForm(VerbForm):
    """The terms, as they are in force, to be changed."""

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


def _fields(terms: Plain) -> Plain:
    said = {name: percent(terms[name]) for name in ("daily_bps_most", "cap_bps_most")}
    return {"grace_hours_least": terms["grace_hours_least"], **said}


def _terms(wish: dict[str, Any]) -> Plain:
    return {name: wish[name] for name in LateForm.base_fields if name != "note"}


def _foreseen(terms: Plain, at: datetime) -> Words:
    seen = orders.foresee_late_terms(LateBounds.read(terms), at=at)
    says = _(
        "Of %(services)d live services, %(asking)d specify more than this policy allows; their settings remain on"
        " record only. Of %(orders)d orders opened in the last 30 days, %(kinder)d would have had more lenient"
        " terms."
    )
    less = _("Of the %(fee)s in late fees accrued on them, %(less)s would not have been charged.")
    every = [less % {"fee": money(fee), "less": money(not_due)} for fee, not_due in seen.fees]
    return " ".join([says % asdict(seen), *(every or [_("No late fees accrued on these orders.")])])


POLICY = Policy(
    name="late_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish late fee and grace period policy"),
    model=LatePolicy,
    publishers=PUBLISHERS,
    form=LateForm,
    fields=_fields,
    terms=_terms,
    judge=merchants.judge_late_terms,
    foresee=_foreseen,
)
MATTERS = [matter_of_policy(POLICY)]


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version counts for orders that begin from then on."""
    return publish_page(POLICY, colleague)
