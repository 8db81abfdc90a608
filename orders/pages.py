"""A person's orders: the promise record (守约记录)."""

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import localtime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.visitor import Visitor, for_person
from kernel.templatetags.house import month as month_named
from orders import record

ORDERS_A_PAGE = 20
#: So much of what is looked for is read.
TEXT_MAX = 100


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The front door: each goes on to where they belong."""
    if not request.user.is_authenticated:
        return render(request, "orders/landing.html")
    if request.user.is_staff:
        return redirect("admin:index")
    # Somebody who signs in by address and password, and is no colleague, works for a merchant.
    return redirect("merchant_door" if request.user.get_username() else "mine")


@require_safe
@for_person
def history(visitor: Visitor) -> HttpResponse:
    """Every order of every merchant, newest first, or those that are looked for; to htmx only what follows."""
    asked = visitor.request.GET
    shelf, text = asked.get("shelf", ""), asked.get("q", "").replace("\0", "").strip()[:TEXT_MAX]
    shelf = shelf if shelf in record.SHELVES else ""
    first = record.first_of(visitor.person.id)
    months = _months(first, visitor.at) if first else []
    month = next((month for month in months if f"{month:%Y-%m}" == asked.get("month")), None)
    look = record.Look(shelf, text, month, _next_month(month) if month else None)
    cursor = asked.get("cursor") or None
    found = record.look_through(visitor.person.id, look, cursor=cursor, limit=ORDERS_A_PAGE)
    kept = {"q": text, "month": f"{month:%Y-%m}" if month else "", "shelf": shelf}
    part = visitor.request.headers.get("HX-Request") == "true"
    return visitor.show(
        "orders/history_part.html" if part else "orders/history.html",
        found=found,
        further=found.further and urlencode({**_said(kept), "cursor": found.further}),
        kept=urlencode(_said(kept)),
        shelf=shelf,
        sought=urlencode(_said(kept | {"shelf": ""})),
        text=text,
        month=kept["month"],
        months=[(f"{one:%Y-%m}", month_named(one)) for one in months],
        no_month=bool(asked.get("month")) and not month,
        first=cursor is None,
        under=asked.get("under", "") if part else "",
        owed=[] if part else record.owed_by(visitor.person.id),
    )


def _said(words: dict[str, str]) -> dict[str, str]:
    return {name: word for name, word in words.items() if word}


def _months(first: datetime, at: datetime) -> list[datetime]:
    """The months since an order was made first, the newest first, each by its beginning where the person is."""
    month = localtime(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found: list[datetime] = []
    while _next_month(month) > first and len(found) < record.MONTHS_MAX:
        found.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return found


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=31)).replace(day=1)
