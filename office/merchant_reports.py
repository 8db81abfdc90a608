"""/merchant/<merchant>/figures/: a merchant's own reports by day, as tables, charts and CSV files.

Same tallies as the operations console, without platform losses and decline reasons.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from office.queries import reports
from office.queries.reports import ReportFilter
from office.report_forms import ReportPeriodForm, console_day, default_start
from office.report_links import csv_response, query_params
from office.report_panels import merchant_panels
from office.report_tables import Panel
from portal.staff import Staff, merchant_page


class MerchantReportForm(ReportPeriodForm):
    """Period, service and currency of a merchant's report."""

    def __init__(self, data: Any, *, staff: Staff) -> None:
        super().__init__(data, today=console_day(staff.at))
        self.merchant = staff.merchant
        self.set_services(reports.services_of(staff.merchant))

    @property
    def filters(self) -> ReportFilter:
        """The report filter; with errors in the form, the default period of all services."""
        data, mode = self.cleaned_data, self.merchant.mode
        if self.errors:
            return ReportFilter(default_start(self.today), self.today, mode, self.merchant)
        return ReportFilter(
            data["since"], data["until"], mode, self.merchant, self.chosen_service, data["currency"] or "CNY"
        )


@require_safe
@merchant_page("figures")
def overview(staff: Staff) -> HttpResponse:
    """All panels: orders, funds, deductions and overdue debts, most with a chart."""
    form, filters, panels = _load_report(staff)
    counted_until = reports.counted_until()
    return staff.render(
        "office/merchant_reports.html",
        status=422 if form.errors else 200,
        form=form,
        panels=panels,
        counted=counted_until,
        behind=timedelta(seconds=int((staff.real - counted_until).total_seconds())) if counted_until else None,
        query=urlencode(query_params(filters)),
    )


@require_safe
@merchant_page("export_figures")
def table(staff: Staff, name: str) -> HttpResponse:
    """One panel as a CSV file."""
    form, filters, panels = _load_report(staff)
    panel = next((panel for panel in panels if panel.name == name), None)
    if panel is None or form.errors:
        raise Http404
    return csv_response(panel, filters)


def _load_report(staff: Staff) -> tuple[MerchantReportForm, ReportFilter, list[Panel]]:
    today = console_day(staff.at)
    defaults = {"since": f"{default_start(today)}", "until": f"{today}"}
    form = MerchantReportForm(defaults | staff.request.GET.dict(), staff=staff)
    form.is_valid()
    filters = form.filters
    totals = reports.totals_for(filters)
    form.set_currencies(totals.currencies | {filters.currency})
    return form, filters, merchant_panels(totals, filters)


#: Mounted by bnpl.urls beside the merchant console's other pages.
VIEWS_BY_PATH = {"figures/": overview, "figures/<str:name>.csv": table}
