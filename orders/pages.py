"""Pages: the start page, and the promise record (守约记录) of a person."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, person_page
from kernel.templatetags.formatting import month as month_named
from orders import order_history

PAGE_SIZE = 20
#: The maximum length of the search text.
TEXT_MAX = 100


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The start page: redirect signed-in users to their own home."""
    if not request.user.is_authenticated:
        return render(request, "orders/landing.html")
    if request.user.is_staff:
        return redirect("admin:index")
    # Users who sign in by email and password and are not staff work for a merchant.
    return redirect("merchant_door" if request.user.get_username() else "mine")


@require_safe
@person_page
def history(visitor: Visitor) -> HttpResponse:
    """The person's orders of all merchants, newest first, with filters; for htmx only the next part of the list."""
    params = visitor.request.GET
    shelf, text = params.get("shelf", ""), params.get("q", "").replace("\0", "").strip()[:TEXT_MAX]
    shelf = shelf if shelf in order_history.STATUS_GROUPS else ""
    first = order_history.first_order_at(visitor.person.id)
    months = _months(first, visitor.at) if first else []
    month = next((month for month in months if f"{month:%Y-%m}" == params.get("month")), None)
    filters = order_history.HistoryFilter(shelf, text, month, _next_month(month) if month else None)
    cursor = params.get("cursor") or None
    result = order_history.search_orders(visitor.person.id, filters, cursor=cursor, limit=PAGE_SIZE)
    query = {"q": text, "month": f"{month:%Y-%m}" if month else "", "shelf": shelf}
    is_fragment = visitor.request.headers.get("HX-Request") == "true"
    return visitor.render(
        "orders/history_part.html" if is_fragment else "orders/history.html",
        result=result,
        next_query=result.next_cursor and urlencode({**_drop_empty(query), "cursor": result.next_cursor}),
        query=urlencode(_drop_empty(query)),
        shelf=shelf,
        query_without_shelf=urlencode(_drop_empty(query | {"shelf": ""})),
        text=text,
        month=query["month"],
        months=[(f"{one:%Y-%m}", month_named(one)) for one in months],
        no_month=bool(params.get("month")) and not month,
        first=cursor is None,
        previous_heading=params.get("under", "") if is_fragment else "",
        owed=[] if is_fragment else order_history.owed_by(visitor.person.id),
    )


def _drop_empty(params: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}


def _months(first: datetime, at: datetime) -> list[datetime]:
    """The months since the first order, newest first, each as its first moment in the person's time zone."""
    month = localtime(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months: list[datetime] = []
    while _next_month(month) > first and len(months) < order_history.MONTHS_MAX:
        months.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return months


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=31)).replace(day=1)
