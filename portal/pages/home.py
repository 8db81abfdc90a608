"""The overview page with today's figures, alerts and getting-started steps; and the change log."""

from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing import settlement_queries
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
        next_payout=_next_payout_at(staff),
        requested_account=settlement_queries.requested_payout_account(staff.merchant.id),
        latest_orders=queries.search_orders(staff.merchant.id, queries.OrderSearch()).order_by("-pk")[:5],
        base_url=settings.BASE_URL,
    )


def _next_payout_at(staff: Staff) -> datetime | None:
    """When the next payout is due; None if a live merchant has no payout account yet."""
    cutoff = next_cutoff(staff.at, staff.merchant.cutoff_zone, staff.merchant.cutoff_hour)
    key = staff.merchant.id
    if not staff.is_live or settlement_queries.effective_payout_account(key, at=staff.at):
        return cutoff
    upcoming = settlement_queries.upcoming_payout_account(key, at=staff.at)
    return max(cutoff, upcoming.effective_at) if upcoming and upcoming.effective_at else None


@require_safe
@merchant_page("changes")
def changes(staff: Staff) -> HttpResponse:
    """The change log, newest first."""
    cursor = staff.request.GET.get("cursor") or None
    rows, next_cursor = paginate(change_log.changes_of(staff.business), cursor=cursor, limit=CHANGES_A_PAGE)
    lines = change_log.change_lines(staff.business, rows)
    return staff.render("portal/changes.html", rows=lines, next_cursor=next_cursor, is_first_page=cursor is None)
