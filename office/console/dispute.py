"""/ops/dispute/…: what a channel took back, with all that it is decided by and what may be done."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_words import told_of
from billing.channels import TRIBUNALS
from billing.dispute_words import BEARERS
from billing.models import Dispute
from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, Words, page
from office.queries.dispute import COLLEAGUE, NOBODY, OURS, POLICY, SERVICE, story_of
from office.queries.story import SHOWN_MAX
from portal.wording import TAKEN_BACK

#: By what it is so that somebody bears it.
WHY: dict[str, Words] = {
    POLICY: gettext_lazy("policy for this reason"),
    SERVICE: gettext_lazy("policy for this service"),
    COLLEAGUE: gettext_lazy("set by a colleague"),
    NOBODY: gettext_lazy("cannot be recovered: the customer has left, or the debt was written off"),
    OURS: gettext_lazy("no principal included: late fees and early refunds are borne by the platform"),
}


@require_safe
@page(*VIEWERS)
def dispute(colleague: Colleague, dispute: str) -> HttpResponse:
    """What the channel said, of which debit and orders, who bears it and why, what was answered, and the book."""
    key = ids.parse(Dispute.prefix, dispute)
    story = story_of(key) if key else None
    if story is None:
        raise Http404
    row, borne = story.dispute, story.borne
    return colleague.show(
        "office/dispute.html",
        TAKEN_BACK.get(row.code, gettext_lazy("Returned by the channel")),
        story=story,
        dispute=row,
        bearer=BEARERS[borne.bearer],
        why=WHY[borne.by],
        tells_us=row.channel in TRIBUNALS,
        cases=[(case, told_of(case.kind).what) for case in story.cases],
        names=names_of({line.by for line in story.history}),
        most=SHOWN_MAX,
    )
