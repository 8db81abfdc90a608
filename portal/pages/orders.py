"""Orders: looked for, and taken home as a file."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from kernel import ids
from kernel.csvfile import MARK, cell, csv_lines
from kernel.forms import plain
from kernel.paging import page as page_of
from merchants import queries as merchants
from orders.models import Order
from portal import queries, rules, wording
from portal.forms import SumField
from portal.staff import Staff, page

ORDERS_A_PAGE = 25
#: A day outside of these leaves nothing out.
_YEARS = (2000, 9000)
_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SearchForm(forms.Form):
    """What orders are looked for by. Nothing in it is needed."""

    q = forms.CharField(
        label=gettext_lazy("Order no., ID, title or your customer ID"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False)
    service = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=_DAY)
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=_DAY)
    least = SumField(label=gettext_lazy("Minimum amount"), required=False)
    most = SumField(label=gettext_lazy("Maximum"), required=False)

    def __init__(self, *args: Any, services: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        any_of = ("", _("All"))
        self.fields["state"].choices = [any_of, *wording.STATES.items()]  # type: ignore[attr-defined]
        self.fields["service"].choices = [any_of, *services]  # type: ignore[attr-defined]


@require_safe
@page("orders")
def orders(staff: Staff) -> HttpResponse:
    """The merchant's orders, newest first; with htmx only the list is sent again."""
    return _listed(staff, _form(staff))


@require_safe
@page("export_orders")
def export_orders(staff: Staff) -> HttpResponseBase:
    """The orders that were looked for, as a file that a spreadsheet opens and never calculates."""
    form = _form(staff)
    if not form.is_valid():
        return _listed(staff, form, status=422)
    rows = queries.exported(queries.orders_found(staff.merchant.id, _search(form)))
    answer = StreamingHttpResponse(
        _lines(rows, ZoneInfo(settings.CONSOLE_ZONE)), content_type="text/csv; charset=utf-8"
    )
    name = f"orders-{staff.mode}-{staff.at:%Y%m%d-%H%M}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _listed(staff: Staff, form: SearchForm, *, status: int = 200) -> HttpResponse:
    """What was found, on its page; a search that cannot be understood finds nothing, and its form says why."""
    cursor = staff.request.GET.get("cursor") or None
    good = form.is_valid()
    found = queries.orders_found(staff.merchant.id, _search(form) if good else queries.Search())
    rows, further = page_of(found if good else found.none(), cursor=cursor, limit=ORDERS_A_PAGE)
    asked = _asked(staff.request.GET)
    part = bool(getattr(staff.request, "htmx", False))
    return staff.show(
        "portal/orders_list.html" if part else "portal/orders.html",
        form=form,
        rows=rows,
        further=further,
        first=cursor is None,
        asked=asked,
        searching=bool(asked),
        export_max=rules.EXPORT_MAX,
        status=status,
    )


def _lines(rows: Iterator[Order], zone: ZoneInfo) -> Iterator[str]:
    head = ("id", "out_order_no", "title", "service", "state", "currency", "total", "ceiling")
    times = ("created_at", "completed_at", "deducted_at", "overdue_at", "cancelled_at")
    yield MARK
    yield from csv_lines(chain([[*head, *times]], _cells(rows, times, zone)))


def _cells(rows: Iterator[Order], times: Sequence[str], zone: ZoneInfo) -> Iterator[list[str]]:
    for row in rows:
        total = plain(row.total) if row.total_minor is not None else ""
        plainly = [row.public_id, row.out_order_no, row.title, row.service.name, row.state, row.currency, total]
        moments = [_moment(getattr(row, name), zone) for name in times]
        yield [cell(value) for value in [*plainly, plain(row.ceiling), *moments]]


def _moment(value: datetime | None, zone: ZoneInfo) -> str:
    return "" if value is None else value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _form(staff: Staff) -> SearchForm:
    services = [(row.public_id, row.name) for row in merchants.services_of(staff.merchant.id)]
    return SearchForm(staff.request.GET, services=services)


def _search(form: SearchForm) -> queries.Search:
    given = form.cleaned_data
    return queries.Search(
        text=given["q"],
        state=given["state"],
        service_id=ids.parse("svc", given["service"]) if given["service"] else None,
        after=_midnight(given["since"]),
        before=_midnight(given["until"], days=1),
        least=given["least"],
        most=given["most"],
    )


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None or not _YEARS[0] <= day.year <= _YEARS[1]:
        return None
    return datetime.combine(day + timedelta(days=days), time.min, ZoneInfo(settings.CONSOLE_ZONE)).astimezone(UTC)


def _asked(given: QueryDict) -> str:
    """The search as an address carries it, without where it stands."""
    kept = given.copy()
    kept.pop("cursor", None)
    for name in [name for name, value in kept.items() if not value]:
        del kept[name]
    return kept.urlencode()
