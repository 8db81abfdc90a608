"""Order search and CSV export."""

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
from kernel.csvfile import UTF8_BOM, csv_lines, safe_cell
from kernel.forms import plain_amount
from kernel.paging import paginate
from merchants import queries as merchant_queries
from orders.models import Order
from portal import labels, queries, rules
from portal.forms import AnyCurrencyAmountField
from portal.staff import Staff, merchant_page

ORDERS_A_PAGE = 25
#: Dates outside these years are ignored.
_YEAR_RANGE = (2000, 9000)
_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SearchForm(forms.Form):
    """Optional search criteria."""

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
    least = AnyCurrencyAmountField(label=gettext_lazy("Minimum amount"), required=False)
    most = AnyCurrencyAmountField(label=gettext_lazy("Maximum"), required=False)

    def __init__(self, *args: Any, services: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        any_of = ("", _("All"))
        self.fields["state"].choices = [any_of, *labels.STATE_LABELS.items()]  # type: ignore[attr-defined]
        self.fields["service"].choices = [any_of, *services]  # type: ignore[attr-defined]


@require_safe
@merchant_page("orders")
def order_list(staff: Staff) -> HttpResponse:
    """The merchant's orders, newest first; an htmx request gets only the list."""
    return _render_list(staff, _search_form(staff))


@require_safe
@merchant_page("export_orders")
def export_orders(staff: Staff) -> HttpResponseBase:
    """The matching orders as CSV, escaped so that spreadsheets run no formulas."""
    form = _search_form(staff)
    if not form.is_valid():
        return _render_list(staff, form, status=422)
    rows = queries.iter_for_export(queries.search_orders(staff.merchant.id, _to_search(form)))
    response = StreamingHttpResponse(
        _csv_lines(rows, ZoneInfo(settings.CONSOLE_ZONE)), content_type="text/csv; charset=utf-8"
    )
    name = f"orders-{staff.mode}-{staff.at:%Y%m%d-%H%M}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _render_list(staff: Staff, form: SearchForm, *, status: int = 200) -> HttpResponse:
    """The matching orders; an invalid search matches nothing, and its form shows the errors."""
    cursor = staff.request.GET.get("cursor") or None
    is_valid = form.is_valid()
    found = queries.search_orders(staff.merchant.id, _to_search(form) if is_valid else queries.OrderSearch())
    rows, next_cursor = paginate(found if is_valid else found.none(), cursor=cursor, limit=ORDERS_A_PAGE)
    query = _query_string(staff.request.GET)
    is_partial = bool(getattr(staff.request, "htmx", False))
    return staff.render(
        "portal/orders_list.html" if is_partial else "portal/orders.html",
        form=form,
        rows=rows,
        next_cursor=next_cursor,
        is_first_page=cursor is None,
        query=query,
        is_search=bool(query),
        export_max=rules.EXPORT_MAX,
        status=status,
    )


def _csv_lines(rows: Iterator[Order], zone: ZoneInfo) -> Iterator[str]:
    head = ("id", "out_order_no", "title", "service", "state", "currency", "total", "ceiling")
    times = ("created_at", "completed_at", "deducted_at", "overdue_at", "cancelled_at")
    yield UTF8_BOM
    yield from csv_lines(chain([[*head, *times]], _csv_rows(rows, times, zone)))


def _csv_rows(rows: Iterator[Order], times: Sequence[str], zone: ZoneInfo) -> Iterator[list[str]]:
    for row in rows:
        total = plain_amount(row.total) if row.total_minor is not None else ""
        values = [row.public_id, row.out_order_no, row.title, row.service.name, row.state, row.currency, total]
        times_text = [_format_time(getattr(row, name), zone) for name in times]
        yield [safe_cell(value) for value in [*values, plain_amount(row.ceiling), *times_text]]


def _format_time(value: datetime | None, zone: ZoneInfo) -> str:
    return "" if value is None else value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _search_form(staff: Staff) -> SearchForm:
    services = [(row.public_id, row.name) for row in merchant_queries.services_of(staff.merchant.id)]
    return SearchForm(staff.request.GET, services=services)


def _to_search(form: SearchForm) -> queries.OrderSearch:
    data = form.cleaned_data
    return queries.OrderSearch(
        text=data["q"],
        state=data["state"],
        service_id=ids.parse("svc", data["service"]) if data["service"] else None,
        after=_midnight(data["since"]),
        before=_midnight(data["until"], days=1),
        min_amount=data["least"],
        max_amount=data["most"],
    )


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None or not _YEAR_RANGE[0] <= day.year <= _YEAR_RANGE[1]:
        return None
    return datetime.combine(day + timedelta(days=days), time.min, ZoneInfo(settings.CONSOLE_ZONE)).astimezone(UTC)


def _query_string(data: QueryDict) -> str:
    """The search as a query string, without the cursor."""
    kept = data.copy()
    kept.pop("cursor", None)
    for name in [name for name, value in kept.items() if not value]:
        del kept[name]
    return kept.urlencode()
