"""/merchant/<merchant>/figures/: a merchant's own figures by day, as tables, drawings and files.

They are what the console counted, without what is the house's own: its losses, and why it refuses people.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from office.leading import file_of, params
from office.looks import DaysForm, day_of, first_shown
from office.panels import merchant_panels
from office.queries import figures
from office.queries.figures import Look
from office.tables import Panel
from portal.staff import Staff, page


class MineForm(DaysForm):
    """Which days of one's own."""

    def __init__(self, given: Any, *, staff: Staff) -> None:
        super().__init__(given, today=day_of(staff.at))
        self.merchant = staff.merchant
        self.offer_services(figures.services_called(staff.merchant))

    @property
    def look(self) -> Look:
        """What is asked for; where it cannot be, the last days of everything."""
        given, mode = self.cleaned_data, self.merchant.mode
        if self.errors:
            return Look(first_shown(self.today), self.today, mode, self.merchant)
        return Look(
            given["since"], given["until"], mode, self.merchant, self.chosen_service, given["currency"] or "CNY"
        )


@require_safe
@page("figures")
def overview(staff: Staff) -> HttpResponse:
    """Orders, money, deductions and what is overdue, each a table and most a drawing."""
    form, look, panels = _asked(staff)
    counted = figures.counted_until()
    return staff.show(
        "office/mine.html",
        status=422 if form.errors else 200,
        form=form,
        panels=panels,
        counted=counted,
        behind=timedelta(seconds=int((staff.real - counted).total_seconds())) if counted else None,
        query=urlencode(params(look)),
    )


@require_safe
@page("export_figures")
def table(staff: Staff, name: str) -> HttpResponse:
    """One of the tables as a file."""
    form, look, panels = _asked(staff)
    panel = next((panel for panel in panels if panel.name == name), None)
    if panel is None or form.errors:
        raise Http404
    return file_of(panel, look)


def _asked(staff: Staff) -> tuple[MineForm, Look, list[Panel]]:
    today = day_of(staff.at)
    begin = {"since": f"{first_shown(today)}", "until": f"{today}"}
    form = MineForm(begin | staff.request.GET.dict(), staff=staff)
    form.is_valid()
    look = form.look
    sums = figures.sums(look)
    form.offer_currencies(sums.currencies | {look.currency})
    return form, look, merchant_panels(sums, look)


#: By address; the roof hangs them beside the merchant's other pages.
BY_ADDRESS = {"figures/": overview, "figures/<str:name>.csv": table}
