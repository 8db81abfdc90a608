"""The first page: how the day goes, what is wrong, and what a newcomer does next."""

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kernel.paging import page as page_of
from merchants.rules.cutoff import next_cutoff
from portal import book, log, queries
from portal.staff import Staff, page

CHANGES_A_PAGE = 50


@require_safe
@page("home")
def home(staff: Staff) -> HttpResponse:
    local = timezone.localtime(staff.at)
    start = queries.start_of(staff.merchant)
    return staff.show(
        "portal/home.html",
        today=queries.today_of(staff.merchant.id, since=local.replace(hour=0, minute=0, second=0, microsecond=0)),
        trouble=queries.trouble_of(staff.merchant.id, at=staff.at),
        start=start,
        accounts=book.accounts_of(staff.merchant),
        next_payout=next_cutoff(staff.at, staff.merchant.cutoff_zone, staff.merchant.cutoff_hour),
        newest=queries.orders_found(staff.merchant.id, queries.Search()).order_by("-pk")[:5],
        base_url=settings.BASE_URL,
    )


@require_safe
@page("changes")
def changes(staff: Staff) -> HttpResponse:
    """Who changed what, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, further = page_of(log.changes_of(staff.business), cursor=cursor, limit=CHANGES_A_PAGE)
    names, subjects = log.names_of(row.by for row in rows), log.subjects_of(rows)
    shown = [(row, names.get(row.by, row.by), subjects.get(row.subject_id, "")) for row in rows]
    return staff.show("portal/changes.html", rows=shown, further=further, first=cursor is None)
