"""The overview page with today's figures, alerts and getting-started steps; and the change log."""

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from kernel.paging import paginate
from merchants.rules.cutoff import next_cutoff
from portal import balances, change_log, queries
from portal.staff import Staff, merchant_page

CHANGES_A_PAGE = 50


@require_safe
@merchant_page("home")
def home(staff: Staff) -> HttpResponse:
    local_now = timezone.localtime(staff.at)
    return staff.render(
        "portal/home.html",
        today=queries.today_summary(staff.merchant, since=local_now.replace(hour=0, minute=0, second=0, microsecond=0)),
        alerts=queries.alerts_for(staff.merchant.id, at=staff.at),
        progress=queries.onboarding_progress(staff.merchant),
        balances=balances.balances_of(staff.merchant),
        next_payout=next_cutoff(staff.at, staff.merchant.cutoff_zone, staff.merchant.cutoff_hour),
        latest_orders=queries.search_orders(staff.merchant.id, queries.OrderSearch()).order_by("-pk")[:5],
        base_url=settings.BASE_URL,
    )


@require_safe
@merchant_page("changes")
def changes(staff: Staff) -> HttpResponse:
    """The change log, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, next_cursor = paginate(change_log.changes_of(staff.business), cursor=cursor, limit=CHANGES_A_PAGE)
    names, subjects = change_log.actor_names(row.by for row in rows), change_log.subject_names(rows)
    shown = [(row, names.get(row.by, row.by), subjects.get(row.subject_id, "")) for row in rows]
    return staff.render("portal/changes.html", rows=shown, next_cursor=next_cursor, is_first_page=cursor is None)
