"""/ops/order/…: one order as a whole, with what may be done to it."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kernel import ids
from kernel.actor_names import names_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, page
from office.queries.story import SHOWN_MAX, story_of
from orders.models import Order


@require_safe
@page(*VIEWERS)
def order(colleague: Colleague, order: str) -> HttpResponse:
    """Its life, what is owed, every attempt with the channel's word, the book, and whom was told what."""
    key = ids.parse(Order.prefix, order)
    story = story_of(key) if key else None
    if story is None:
        raise Http404
    return colleague.show(
        "office/order.html",
        gettext_lazy("Order"),
        story=story,
        order=story.order,
        names=names_of({line.by for line in story.history} | {row.began_by for row in story.pauses}),
        most=SHOWN_MAX,
    )
