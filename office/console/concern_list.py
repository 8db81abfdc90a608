"""/ops/help/: the open customer requests of live or of the sandboxes."""

from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, console_page
from office.environments import MODES, selected_mode
from orders import queries

MENU_ITEM = MenuItem(
    "help_desk", gettext_lazy("Customer requests"), gettext_lazy("Problems, plans, objections"), VIEWERS
)
ROWS_A_PAGE, PAGES_MAX = 50, 200


@require_safe
@console_page(*VIEWERS)
def concern_list(colleague: Colleague) -> HttpResponse:
    """Open requests, those waiting for us longest first."""
    query = colleague.request.GET
    mode, page = selected_mode(query), query.get("page", "1")
    if not (page.isascii() and page.isdigit()):
        raise Http404
    number = min(max(1, int(page[:4])), PAGES_MAX)
    start = (number - 1) * ROWS_A_PAGE
    rows = list(queries.concern_queue(mode=mode)[start : start + ROWS_A_PAGE + 1])
    return colleague.render(
        "console/concerns.html",
        MENU_ITEM.label,
        rows=rows[:ROWS_A_PAGE],
        mode=mode,
        modes=[(name, label, urlencode({"mode": name})) for name, label in MODES],
        more=urlencode({"mode": mode, "page": number + 1}) if len(rows) > ROWS_A_PAGE and number < PAGES_MAX else "",
        less=urlencode({"mode": mode, "page": number - 1}) if number > 1 else "",
    )
