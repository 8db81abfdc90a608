"""/ops/figures/: how things went, by day; every table as a file, every number with the rows behind it."""

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
from kernel.console_actions import Colleague, Desk, page
from merchants.models import Merchant
from office.leading import behind, file_of, params, today_tiles
from office.looks import DaysForm, day_of, first_shown
from office.panels import BOOK_KEYS, ORDER_KEYS, all_panels
from office.queries import figures
from office.queries.figures import Look
from office.queries.streams import BY_METRIC
from office.tables import Panel
from office.worlds import MODES, mode_of

DESK = Desk("figures", gettext_lazy("Reports"), gettext_lazy("Daily performance and current status"), VIEWERS)
ROWS_A_PAGE, PAGES_MAX = 50, 200


class LookForm(DaysForm):
    """Which days of whom."""

    merchant = forms.CharField(
        label=gettext_lazy("Merchant"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Merchant ID or beginning of its name; empty for all."),
    )
    mode = forms.ChoiceField(label=gettext_lazy("Environment"), required=False, choices=MODES)
    field_order = ("since", "until", "merchant", "service", "currency", "mode")

    def __init__(self, given: Any, *, today: date) -> None:
        super().__init__(given, today=today)
        self.merchants: list[Merchant] = []
        self._find(given.get("merchant", "").strip(), mode_of(given))

    def _find(self, text: str, mode: str) -> None:
        """The merchants that are meant, and the services of one, before the service is looked at."""
        if text and len(text) <= 80 and "\x00" not in text:  # noqa: PLR2004  as the field says
            self.merchants = figures.merchants_called(text, mode)
        self.offer_services(figures.services_called(self.merchants[0]) if len(self.merchants) == 1 else [])

    def clean_merchant(self) -> str:
        text: str = self.cleaned_data["merchant"].strip()
        if text and len(self.merchants) > 1:
            names = ", ".join(f"{row.name} ({row.public_id})" for row in self.merchants)
            raise forms.ValidationError(_("Several merchants match: %(names)s.") % {"names": names})
        if text and not self.merchants:
            raise forms.ValidationError(_("No such merchant."))
        return text

    @property
    def look(self) -> Look:
        """What is asked for; where it cannot be, the last days of everybody."""
        given = self.cleaned_data
        if self.errors:
            return Look(first_shown(self.today), self.today, given.get("mode") or "live")
        merchant, mode = self.merchants[0] if self.merchants else None, given["mode"] or "live"
        currency = given["currency"] or "CNY"
        return Look(given["since"], given["until"], mode, merchant, self.chosen_service, currency)


@page(*VIEWERS)
def overview(colleague: Colleague) -> HttpResponse:
    """Everything that was counted, as tables and drawings."""
    form, look = _asked(colleague)
    sums = figures.sums(look)
    form.offer_currencies(sums.currencies | {look.currency})
    today = day_of(colleague.at)
    counted = figures.counted_until()
    return colleague.show(
        "office/figures.html",
        DESK.label,
        status=422 if form.errors else 200,
        form=form,
        look=look,
        today=today_tiles(look, today),
        panels=[_linked(panel, look) for panel in all_panels(sums, figures.vintages(look), look)],
        counted=counted,
        behind=timedelta(seconds=int((colleague.at - counted).total_seconds())) if counted else None,
        query=urlencode(params(look)),
    )


@page(*VIEWERS)
def table(colleague: Colleague, name: str) -> HttpResponse:
    """One of the tables as a file."""
    form, look = _asked(colleague)
    panels = {panel.name: panel for panel in all_panels(figures.sums(look), figures.vintages(look), look)}
    if name not in panels or form.errors:
        raise Http404
    return file_of(panels[name], look)


@page(*VIEWERS)
def rows(colleague: Colleague) -> HttpResponse:
    """The lines of history that a number counted."""
    form, look = _asked(colleague)
    given = colleague.request.GET
    metric, key, at = given.get("metric", ""), given.get("key", "")[:60], given.get("page", "1")
    if metric not in BY_METRIC or form.errors or "\x00" in key or not (at.isascii() and at.isdigit()):
        raise Http404
    number = min(max(1, int(at[:4])), PAGES_MAX)
    offset = (number - 1) * ROWS_A_PAGE
    found = figures.behind(look, metric, key, offset=offset, limit=ROWS_A_PAGE + 1)
    names = {"order": ORDER_KEYS, "book": BOOK_KEYS}.get(metric, {})
    here = params(look) | {"metric": metric, "key": key}
    return colleague.show(
        "office/rows.html",
        f"{names.get(key, key)} · {look.since} – {look.until}",
        rows=[(row, _row_address(row.kind, row.about)) for row in found[:ROWS_A_PAGE]],
        look=look,
        back=f"{reverse('figures')}?{urlencode(params(look))}",
        more=urlencode(here | {"page": number + 1}) if len(found) > ROWS_A_PAGE and number < PAGES_MAX else "",
        less=urlencode(here | {"page": number - 1}) if number > 1 else "",
    )


def _asked(colleague: Colleague) -> tuple[LookForm, Look]:
    today = day_of(colleague.at)
    begin = {"since": first_shown(today), "until": today, "mode": mode_of(colleague.request.GET)}
    form = LookForm({name: f"{day}" for name, day in begin.items()} | colleague.request.GET.dict(), today=today)
    form.is_valid()
    return form, form.look


def _linked(panel: Panel, look: Look) -> tuple[Panel, list[tuple[str, list[tuple[str, str]]]]]:
    """A table with the address behind each of its numbers."""
    return panel, [(row.label, [(one.text, behind(one, look)) for one in row.cells]) for row in panel.rows]


def _row_address(kind: str, key: UUID) -> str:
    models = {"dec": "credit_decision", "ded": "billing_deduction", "obl": "orders_obligation"}
    if kind == "ord":
        return reverse("order_desk", args=[ids.public(kind, key)])
    return reverse(f"admin:{models[kind]}_change", args=[key])
