"""/ops/agreement/<agreement>: one agreement with its service, customer, orders and assessments."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from credit.models import Agreement
from kernel import ids
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, console_page
from office.queries.agreement import LATEST_MAX, agreement_detail


@require_safe
@console_page(*VIEWERS)
def agreement(colleague: Colleague, agreement: str) -> HttpResponse:
    """State history, service and customer, the latest orders, assessments, and the timeline."""
    key = ids.parse(Agreement.prefix, agreement)
    detail = agreement_detail(key) if key else None
    if detail is None:
        raise Http404
    colleague.audit("viewed.agreement", agreement)
    return colleague.render(
        "office/agreement.html",
        gettext_lazy("Agreement"),
        detail=detail,
        agreement=detail.agreement,
        names=usernames_of({line.by for line in detail.history}),
        newest=LATEST_MAX,
    )
