"""/ops/find: whatever a colleague has in hand, typed into one box; one hit is gone to at once."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, page
from kernel.console_lists import page_of
from office.queries import find as finding
from office.queries.find import FOUND_MAX, TEXT_MAX

#: What it was found by, and what kind of row it is.
BY = {
    "id": gettext_lazy("Public ID"),
    "number": gettext_lazy("Channel request no."),
    "phone": gettext_lazy("Phone"),
    "out_order_no": gettext_lazy("Merchant's order no."),
    "channel_txn": gettext_lazy("Channel transaction no."),
    "name": gettext_lazy("Merchant name"),
}


@require_POST
@page(*VIEWERS)
def find(colleague: Colleague) -> HttpResponse:
    """Everything it may mean, or the one thing it does. A phone is never written into an address or a log line."""
    text = colleague.sent("q").strip()
    rows = [found for found in finding.find(text) if colleague.reads(type(found.row))]
    if finding.means_a_phone(text):
        colleague.audit("found.phone", rows[0].row.public_id if rows else "", found=len(rows))
    if len(rows) == 1:
        return redirect(page_of(rows[0].row))
    return colleague.show(
        "office/find.html",
        gettext_lazy("Search everything"),
        asked=text[:TEXT_MAX],
        rows=[(BY[found.by], found, page_of(found.row)) for found in rows],
        most=FOUND_MAX,
    )
