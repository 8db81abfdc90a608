"""/ops/deduction/<deduction>: one deduction with its debts, channel responses and outcome."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_labels import label_of_case
from billing.models import Deduction
from kernel import ids
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, console_page
from office.queries.deduction import OTHER_DEDUCTIONS_MAX, deduction_detail
from office.queries.order import SHOWN_MAX


@require_safe
@console_page(*VIEWERS)
def deduction(colleague: Colleague, deduction: str) -> HttpResponse:
    """State history, debts covered, channel responses, postings, refunds and disputes."""
    key = ids.parse(Deduction.prefix, deduction)
    detail = deduction_detail(key) if key else None
    if detail is None:
        raise Http404
    colleague.audit("viewed.deduction", deduction)
    return colleague.render(
        "office/deduction.html",
        gettext_lazy("Deduction from a customer's account"),
        detail=detail,
        deduction=detail.deduction,
        cases=[(case, label_of_case(case.kind).title) for case in detail.cases],
        names=usernames_of({line.by for line in detail.history}),
        most=SHOWN_MAX,
        beside=OTHER_DEDUCTIONS_MAX,
    )
