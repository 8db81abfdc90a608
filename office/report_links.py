"""Links from report figures to the rows they count, CSV downloads, and the tiles with today's figures."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse

from kernel.models import LIVE
from kernel.spreadsheets import CSV, csv_text
from office.queries import reports
from office.queries.reports import ReportFilter, Totals
from office.report_panels import ORDER_KEYS
from office.report_tables import Cell, Panel


def today_tiles(filters: ReportFilter, today: date) -> list[tuple[Any, str, str]]:
    """Today's figures in the scope of `filters`, whatever its period: (label, number, URL of the rows)."""
    today_only = ReportFilter(today, today, filters.mode, filters.merchant, filters.service, filters.currency)
    totals: Totals = reports.totals_for(today_only)
    counts = [(label, key, totals.on_day(today, "order", key).count) for key, label in ORDER_KEYS.items()]
    cells = [(label, Cell(f"{number}", "order" if number else "", key, today)) for label, key, number in counts]
    return [(label, cell.text, source_url(cell, today_only)) for label, cell in cells]


def source_url(cell: Cell, filters: ReportFilter) -> str:
    """URL of the rows that a figure counted; "" for a figure without rows."""
    if cell.metric == "stock":
        return _overdue_list_url(cell.key, filters)
    if not cell.metric:
        return ""
    period = {"from": f"{filters.since}", "to": f"{filters.until}"}
    days = {"since": f"{cell.day}", "until": f"{cell.day}", **period} if cell.day else {}
    return (
        f"{reverse('figure_rows')}?{urlencode(query_params(filters) | days | {'metric': cell.metric, 'key': cell.key})}"
    )


def _overdue_list_url(bucket: str, filters: ReportFilter) -> str:
    """URL of the list of debts now in an ageing bucket."""
    chosen = {"state__exact": "overdue", "kind__exact": "principal", "bucket__exact": bucket}
    chosen |= {"realm__exact": f"{LIVE}"} if filters.mode == "live" else {"realm__mode": filters.mode}
    chosen |= {"currency__exact": filters.currency}
    chosen |= {"merchant__exact": f"{filters.merchant.pk}"} if filters.merchant else {}
    chosen |= {"order__service__exact": f"{filters.service.pk}"} if filters.service else {}
    return f"{reverse('admin:orders_obligation_changelist')}?{urlencode(chosen)}"


def query_params(filters: ReportFilter) -> dict[str, str]:
    """The filter as query parameters."""
    chosen = {
        "since": f"{filters.since}",
        "until": f"{filters.until}",
        "mode": filters.mode,
        "currency": filters.currency,
    }
    chosen |= {"merchant": filters.merchant.public_id} if filters.merchant else {}
    return chosen | ({"service": filters.service.public_id} if filters.service else {})


def csv_response(panel: Panel, filters: ReportFilter) -> HttpResponse:
    """A panel as a CSV download, named after the panel and the period."""
    response = HttpResponse(csv_text(panel.csv_rows), content_type=CSV)
    response["Content-Disposition"] = f'attachment; filename="{panel.name}-{filters.since}-{filters.until}.csv"'
    return response
