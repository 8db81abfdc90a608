"""/ops/order/<order>: everything about one order, and the actions on it."""

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kernel import ids
from kernel.actor_names import usernames_of
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, console_page
from office.queries.order import SHOWN_MAX, order_detail
from orders.models import Order


@require_safe
@console_page(*VIEWERS)
def order(colleague: Colleague, order: str) -> HttpResponse:
    """State history, amounts due, deduction attempts with channel responses, postings, notices and events."""
    key = ids.parse(Order.prefix, order)
    detail = order_detail(key) if key else None
    if detail is None:
        raise Http404
    colleague.audit("viewed.order", order)
    return colleague.render(
        "office/order.html",
        gettext_lazy("Order"),
        detail=detail,
        order=detail.order,
        names=usernames_of({line.by for line in detail.history} | {row.began_by for row in detail.pauses}),
        most=SHOWN_MAX,
    )
