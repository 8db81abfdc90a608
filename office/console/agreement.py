"""/ops/agreement/…: one agreement as a whole: who opened which service, how that went, and what was ordered by it."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from credit.models import Agreement
from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, page
from office.queries.agreement import NEWEST_MAX, story_of


@require_safe
@page(*VIEWERS)
def agreement(colleague: Colleague, agreement: str) -> HttpResponse:
    """Its life, the service and the person, the newest orders under it, each assessment, and who did what."""
    key = ids.parse(Agreement.prefix, agreement)
    story = story_of(key) if key else None
    if story is None:
        raise Http404
    return colleague.show(
        "office/agreement.html",
        gettext_lazy("Agreement"),
        story=story,
        agreement=story.agreement,
        names=names_of({line.by for line in story.history}),
        newest=NEWEST_MAX,
    )
