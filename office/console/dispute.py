"""/ops/dispute/<dispute>: one dispute with its orders, evidence, liability and the actions on it."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_labels import label_of_case
from billing.channels import DISPUTE_CHANNELS
from billing.dispute_labels import BEARER_LABELS
from billing.models import Dispute
from kernel import ids
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, StrOrPromise, console_page
from office.queries.dispute import COLLEAGUE, NO_PRINCIPAL, POLICY, SERVICE, UNRECOVERABLE, dispute_detail
from office.queries.order import SHOWN_MAX
from portal.labels import DISPUTE_REASON_LABELS

#: Why a party is liable.
LIABILITY_BASIS: dict[str, StrOrPromise] = {
    POLICY: gettext_lazy("policy for this reason"),
    SERVICE: gettext_lazy("policy for this service"),
    COLLEAGUE: gettext_lazy("set by a colleague"),
    UNRECOVERABLE: gettext_lazy("cannot be recovered: the customer has left, or the debt was written off"),
    NO_PRINCIPAL: gettext_lazy("no principal included: late fees and early refunds are borne by the platform"),
}


@require_safe
@console_page(*VIEWERS)
def dispute(colleague: Colleague, dispute: str) -> HttpResponse:
    """The channel's reason, deduction and orders, liable party, evidence, timeline and postings."""
    key = ids.parse(Dispute.prefix, dispute)
    detail = dispute_detail(key) if key else None
    if detail is None:
        raise Http404
    colleague.audit("viewed.dispute", dispute)
    row, liability = detail.dispute, detail.liability
    return colleague.render(
        "office/dispute.html",
        DISPUTE_REASON_LABELS.get(row.code, gettext_lazy("Returned by the channel")),
        detail=detail,
        dispute=row,
        bearer=BEARER_LABELS[liability.party],
        why=LIABILITY_BASIS[liability.basis],
        tells_us=row.channel in DISPUTE_CHANNELS,
        cases=[(case, label_of_case(case.kind).title) for case in detail.cases],
        names=usernames_of({line.by for line in detail.history}),
        most=SHOWN_MAX,
    )
