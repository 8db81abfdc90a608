"""/ops/figures/: how things went, by day; every table as a file, every number with the rows behind it."""

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kernel import ids
from kernel.admin_site import VIEWERS
from kernel.desk import Colleague, Desk, page
from kernel.models import LIVE
from kernel.sheets import CSV, csv_text
from merchants.models import Merchant, Service
from office import rules
from office.panels import BOOK_KEYS, ORDER_KEYS, all_panels
from office.queries import figures
from office.queries.figures import Look, Sums
from office.queries.streams import BY_METRIC
from office.tables import Cell, Panel
from office.worlds import MODES, mode_of

DESK = Desk("figures", gettext_lazy("Figures"), gettext_lazy("How things went, by day, and how they stand"), VIEWERS)
ROWS_A_PAGE, PAGES_MAX = 50, 200
_DAY = {"type": "date"}


class LookForm(forms.Form):
    """Which days of whom."""

    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    merchant = forms.CharField(
        label=gettext_lazy("Merchant"),
        required=False,
        max_length=80,
        help_text=gettext_lazy("Its id, or how its name begins; empty for all."),
    )
    service = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False)
    mode = forms.ChoiceField(label=gettext_lazy("World"), required=False, choices=MODES)

    def __init__(self, given: Any, *, today: date) -> None:
        super().__init__(given)
        self.today = today
        self.merchants: list[Merchant] = []
        self.services: list[Service] = []
        asked = given.get("currency", "")
        known = asked if len(asked) == len("CNY") and asked.isascii() and asked.isupper() else "CNY"
        self.offer_currencies({"CNY", known})
        self._find(given.get("merchant", "").strip(), mode_of(given))

    def _find(self, text: str, mode: str) -> None:
        """The merchants that are meant, and the services of one, before the service is looked at."""
        if text and len(text) <= 80 and "\x00" not in text:  # noqa: PLR2004  as the field says
            self.merchants = figures.merchants_called(text, mode)
        if len(self.merchants) == 1:
            self.services = figures.services_called(self.merchants[0])
        every = [("", gettext_lazy("All"))]
        self.fields["service"].choices = every + [(row.public_id, row.name) for row in self.services]  # type: ignore[attr-defined]

    def offer_currencies(self, currencies: set[str]) -> None:
        self.fields["currency"].choices = [(name, name) for name in sorted(currencies)]  # type: ignore[attr-defined]

    def clean_merchant(self) -> str:
        text: str = self.cleaned_data["merchant"].strip()
        if text and len(self.merchants) > 1:
            names = ", ".join(f"{row.name} ({row.public_id})" for row in self.merchants)
            raise forms.ValidationError(_("Several merchants are called so: %(names)s.") % {"names": names})
        if text and not self.merchants:
            raise forms.ValidationError(_("There is no such merchant."))
        return text

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        given["until"] = given.get("until") or self.today
        if not date(2000, 1, 1) <= given["until"] <= date(2999, 1, 1):
            self.add_error("until", _("The first day is after the last, or too far away."))
            return given
        given["since"] = given.get("since") or given["until"] - timedelta(days=rules.DAYS_SHOWN - 1)
        if not date(2000, 1, 1) <= given["since"] <= given["until"]:
            self.add_error("since", _("The first day is after the last, or too far away."))
        elif (given["until"] - given["since"]).days >= rules.DAYS_MAX:
            self.add_error("since", _("Ask for a year at most."))
        return given

    @property
    def look(self) -> Look:
        """What is asked for; where it cannot be, the last days of everybody."""
        given = self.cleaned_data
        if self.errors:
            return Look(self.today - timedelta(days=rules.DAYS_SHOWN - 1), self.today, given.get("mode") or "live")
        merchant = self.merchants[0] if self.merchants else None
        service = next((row for row in self.services if row.public_id == given["service"]), None)
        return Look(
            given["since"], given["until"], given["mode"] or "live", merchant, service, given["currency"] or "CNY"
        )


@page(*VIEWERS)
def overview(colleague: Colleague) -> HttpResponse:
    """Everything that was counted, as tables and drawings."""
    form, look = _asked(colleague)
    sums = figures.sums(look)
    form.offer_currencies(sums.currencies | {look.currency})
    today = _today(colleague)
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
        query=urlencode(_params(look)),
    )


@page(*VIEWERS)
def table(colleague: Colleague, name: str) -> HttpResponse:
    """One of the tables as a file."""
    form, look = _asked(colleague)
    panels = {panel.name: panel for panel in all_panels(figures.sums(look), figures.vintages(look), look)}
    if name not in panels or form.errors:
        raise Http404
    panel = panels[name]
    lines = [panel.head, *([row.label, *(one.text for one in row.cells)] for row in panel.rows)]
    answer = HttpResponse(csv_text(lines), content_type=CSV)
    answer["Content-Disposition"] = f'attachment; filename="{name}-{look.since}-{look.until}.csv"'
    return answer


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
    params = _params(look) | {"metric": metric, "key": key}
    return colleague.show(
        "office/rows.html",
        f"{names.get(key, key)} · {look.since} – {look.until}",
        rows=[(row, _row_address(row.kind, row.about)) for row in found[:ROWS_A_PAGE]],
        look=look,
        back=f"{reverse('figures')}?{urlencode(_params(look))}",
        more=urlencode(params | {"page": number + 1}) if len(found) > ROWS_A_PAGE and number < PAGES_MAX else "",
        less=urlencode(params | {"page": number - 1}) if number > 1 else "",
    )


def _asked(colleague: Colleague) -> tuple[LookForm, Look]:
    today = _today(colleague)
    begin = {
        "since": today - timedelta(days=rules.DAYS_SHOWN - 1),
        "until": today,
        "mode": mode_of(colleague.request.GET),
    }
    form = LookForm({name: f"{day}" for name, day in begin.items()} | colleague.request.GET.dict(), today=today)
    form.is_valid()
    return form, form.look


def _today(colleague: Colleague) -> date:
    return day_of(colleague.at)


def day_of(at: datetime) -> date:
    """The day it is for the console's colleagues."""
    return at.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).date()


def today_tiles(look: Look, today: date) -> list[tuple[Any, str, str]]:
    """Today's figures, whatever days are looked at: a label, a number, and where it leads."""
    now = Look(today, today, look.mode, look.merchant, look.service, look.currency)
    sums: Sums = figures.sums(now)
    counts = [(label, key, sums.on(today, "order", key).number) for key, label in ORDER_KEYS.items()]
    cells = [(label, Cell(f"{number}", "order" if number else "", key, today)) for label, key, number in counts]
    return [(label, one.text, _behind(one, now)) for label, one in cells]


def _linked(panel: Panel, look: Look) -> tuple[Panel, list[tuple[str, list[tuple[str, str]]]]]:
    """A table with the address behind each of its numbers."""
    return panel, [(row.label, [(one.text, _behind(one, look)) for one in row.cells]) for row in panel.rows]


def _behind(one: Cell, look: Look) -> str:
    """Where the rows that a figure counted are shown; empty for one that stands for none."""
    if one.metric == "stock":
        return _stock(one.key, look)
    if not one.metric:
        return ""
    days = {"since": f"{one.day}", "until": f"{one.day}"} if one.day else {}
    return f"{reverse('figure_rows')}?{urlencode(_params(look) | days | {'metric': one.metric, 'key': one.key})}"


def _stock(bucket: str, look: Look) -> str:
    """The debts of an age as they stand now."""
    chosen = {"state__exact": "overdue", "kind__exact": "principal", "bucket__exact": bucket}
    chosen |= {"realm__exact": f"{LIVE}"} if look.mode == "live" else {"realm__mode": look.mode}
    chosen |= {"merchant__exact": f"{look.merchant.pk}"} if look.merchant else {}
    return f"{reverse('admin:orders_obligation_changelist')}?{urlencode(chosen)}"


def _row_address(kind: str, key: UUID) -> str:
    models = {"dec": "credit_decision", "ded": "billing_deduction", "obl": "orders_obligation"}
    if kind == "ord":
        return reverse("order_desk", args=[ids.public(kind, key)])
    return reverse(f"admin:{models[kind]}_change", args=[key])


def _params(look: Look) -> dict[str, str]:
    chosen = {"since": f"{look.since}", "until": f"{look.until}", "mode": look.mode, "currency": look.currency}
    chosen |= {"merchant": look.merchant.public_id} if look.merchant else {}
    return chosen | ({"service": look.service.public_id} if look.service else {})
