"""/ops/deduction/…: one debit as a whole: what it was for, what its channel said, and what came of it."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from billing.case_words import told_of
from billing.models import Deduction
from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, page
from office.queries.deduction import BESIDE_MAX, story_of
from office.queries.story import SHOWN_MAX


@require_safe
@page(*VIEWERS)
def deduction(colleague: Colleague, deduction: str) -> HttpResponse:
    """Its life, the debts it pays in their order, every word of the channel, the book, and what went back of it."""
    key = ids.parse(Deduction.prefix, deduction)
    story = story_of(key) if key else None
    if story is None:
        raise Http404
    return colleague.show(
        "office/deduction.html",
        gettext_lazy("Deduction from a customer's account"),
        story=story,
        deduction=story.deduction,
        cases=[(case, told_of(case.kind).what) for case in story.cases],
        names=names_of({line.by for line in story.history}),
        most=SHOWN_MAX,
        beside=BESIDE_MAX,
    )
