"""/ops/figures/: daily reports as tables, charts and CSV files; each figure links to the rows it counts."""

from contextlib import suppress
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel import ids
from kernel.admin_site import VIEWERS
from kernel.console_actions import Colleague, MenuItem, console_page
from merchants.models import Merchant
from office.environments import MODES, selected_mode
from office.queries import reports
from office.queries.reports import ReportFilter
from office.queries.streams import STREAM_BY_METRIC
from office.report_forms import ReportPeriodForm, console_day, default_start
from office.report_links import csv_response, query_params, source_url, today_tiles
from office.report_panels import all_panels
from office.report_tables import Panel
from office.report_titles import figure_label

MENU_ITEM = MenuItem("figures", gettext_lazy("Reports"), gettext_lazy("Daily performance and current status"), VIEWERS)
ROWS_A_PAGE, PAGES_MAX = 50, 200


class ReportForm(ReportPeriodForm):
    """Period and scope of a report."""

    merchant = forms.CharField(
        label=gettext_lazy("Merchant"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Merchant ID or beginning of its name; empty for all."),
    )
    mode = forms.ChoiceField(label=gettext_lazy("Environment"), required=False, choices=MODES)
    field_order = ("since", "until", "merchant", "service", "currency", "mode")

    def __init__(self, data: Any, *, today: date) -> None:
        super().__init__(data, today=today)
        self.merchants: list[Merchant] = []
        self._set_merchants(data.get("merchant", "").strip(), selected_mode(data))

    def _set_merchants(self, text: str, mode: str) -> None:
        """Find the merchants that match, and offer the services of a single match, before validation."""
        if text and len(text) <= 80 and "\x00" not in text:  # noqa: PLR2004  as the field says
            self.merchants = reports.find_merchants(text, mode)
        self.set_services(reports.services_of(self.merchants[0]) if len(self.merchants) == 1 else [])

    def clean_merchant(self) -> str:
        text: str = self.cleaned_data["merchant"].strip()
        if text and len(self.merchants) > 1:
            names = ", ".join(f"{row.name} ({row.public_id})" for row in self.merchants)
            raise forms.ValidationError(_("Several merchants match: %(names)s.") % {"names": names})
        if text and not self.merchants:
            raise forms.ValidationError(_("No such merchant."))
        return text

    @property
    def filters(self) -> ReportFilter:
        """The report filter; with errors in the form, the default period of all merchants."""
        data = self.cleaned_data
        if self.errors:
            return ReportFilter(default_start(self.today), self.today, data.get("mode") or "live")
        merchant, mode = self.merchants[0] if self.merchants else None, data["mode"] or "live"
        currency = data["currency"] or "CNY"
        return ReportFilter(data["since"], data["until"], mode, merchant, self.chosen_service, currency)


@console_page(*VIEWERS)
def overview(colleague: Colleague) -> HttpResponse:
    """All panels, as tables and charts."""
    form, filters = _report_form(colleague)
    totals = reports.totals_for(filters)
    form.set_currencies(totals.currencies | {filters.currency})
    today = console_day(colleague.at)
    counted_until = reports.counted_until()
    return colleague.render(
        "office/reports.html",
        MENU_ITEM.label,
        status=422 if form.errors else 200,
        form=form,
        today=today_tiles(filters, today),
        panels=[
            _with_links(panel, filters) for panel in all_panels(totals, reports.vintage_totals_for(filters), filters)
        ],
        counted=counted_until,
        behind=timedelta(seconds=int((colleague.at - counted_until).total_seconds())) if counted_until else None,
        query=urlencode(query_params(filters)),
    )


@console_page(*VIEWERS)
def table(colleague: Colleague, name: str) -> HttpResponse:
    """One panel as a CSV file."""
    form, filters = _report_form(colleague)
    panels = {
        panel.name: panel
        for panel in all_panels(reports.totals_for(filters), reports.vintage_totals_for(filters), filters)
    }
    if name not in panels or form.errors:
        raise Http404
    return csv_response(panels[name], filters)


@console_page(*VIEWERS)
def rows(colleague: Colleague) -> HttpResponse:
    """The history rows that a figure counted."""
    form, filters = _report_form(colleague)
    query = colleague.request.GET
    metric, key, page = query.get("metric", ""), query.get("key", "")[:60], query.get("page", "1")
    if metric not in STREAM_BY_METRIC or form.errors or "\x00" in key or not (page.isascii() and page.isdigit()):
        raise Http404
    number = min(max(1, int(page[:4])), PAGES_MAX)
    offset = (number - 1) * ROWS_A_PAGE
    found = reports.source_events(filters, metric, key, offset=offset, limit=ROWS_A_PAGE + 1)
    period = {name: query[name] for name in ("from", "to") if _is_day(query.get(name, ""))}
    params = query_params(filters) | {"metric": metric, "key": key} | period
    whole = {"since": period.get("from", f"{filters.since}"), "until": period.get("to", f"{filters.until}")}
    return colleague.render(
        "office/report_rows.html",
        f"{figure_label(metric, key)} · {filters.since} – {filters.until}",
        rows=[(row, _row_url(row.kind, row.about)) for row in found[:ROWS_A_PAGE]],
        back=f"{reverse('figures')}?{urlencode(query_params(filters) | whole)}",
        more=urlencode(params | {"page": number + 1}) if len(found) > ROWS_A_PAGE and number < PAGES_MAX else "",
        less=urlencode(params | {"page": number - 1}) if number > 1 else "",
    )


def _is_day(text: str) -> bool:
    with suppress(ValueError):
        return bool(date.fromisoformat(text))
    return False


def _report_form(colleague: Colleague) -> tuple[ReportForm, ReportFilter]:
    today = console_day(colleague.at)
    defaults = {"since": f"{default_start(today)}", "until": f"{today}", "mode": selected_mode(colleague.request.GET)}
    form = ReportForm(defaults | colleague.request.GET.dict(), today=today)
    form.is_valid()
    return form, form.filters


def _with_links(panel: Panel, filters: ReportFilter) -> tuple[Panel, list[tuple[str, list[tuple[str, str]]]]]:
    """A panel and its rows, each figure with the URL of the rows it counts."""
    return panel, [(row.label, [(cell.text, source_url(cell, filters)) for cell in row.cells]) for row in panel.rows]


def _row_url(kind: str, key: UUID) -> str:
    admin_models = {"dec": "credit_decision", "ded": "billing_deduction", "obl": "orders_obligation"}
    if kind == "ord":
        return reverse("order_desk", args=[ids.public(kind, key)])
    return reverse(f"admin:{admin_models[kind]}_change", args=[key])
