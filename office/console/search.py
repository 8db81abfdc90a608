"""/ops/find: the console's search box; a single hit is opened at once."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, console_page
from kernel.console_lists import detail_url
from office.queries import search as search_queries
from office.queries.search import HITS_MAX, TEXT_MAX

#: What a hit was matched by.
MATCH_LABELS = {
    "id": gettext_lazy("Public ID"),
    "number": gettext_lazy("Channel request no."),
    "phone": gettext_lazy("Phone"),
    "out_order_no": gettext_lazy("Merchant's order no."),
    "channel_txn": gettext_lazy("Channel transaction no."),
    "name": gettext_lazy("Merchant name"),
}


@require_POST
@console_page(*VIEWERS)
def search(colleague: Colleague) -> HttpResponse:
    """List the hits, or open the only one. POST, so that a phone number is in no URL and no access log."""
    text = colleague.posted("q").strip()
    hits = [hit for hit in search_queries.search(text) if colleague.can_view(type(hit.row))]
    if search_queries.is_phone(text):
        colleague.audit("found.phone", hits[0].row.public_id if hits else "", found=len(hits))
    if len(hits) == 1:
        return redirect(detail_url(hits[0].row))
    return colleague.render(
        "office/search.html",
        gettext_lazy("Search everything"),
        search_text=text[:TEXT_MAX],
        rows=[(MATCH_LABELS[hit.matched_by], hit, detail_url(hit.row)) for hit in hits],
        most=HITS_MAX,
    )
