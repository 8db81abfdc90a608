"""The form that selects a report's period, service and currency."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from merchants.models import Service
from office import rules

_DAY = {"type": "date"}


def console_day(at: datetime) -> date:
    """The date in the console's time zone; tallies are counted by these days."""
    return at.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).date()


def default_start(until: date) -> date:
    """The first day of a report that ends on `until` and names no start."""
    return until - timedelta(days=rules.DEFAULT_DAYS - 1)


class ReportPeriodForm(forms.Form):
    """A period of days, one service or all, and one currency."""

    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    service = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False)

    def __init__(self, data: Any, *, today: date) -> None:
        super().__init__(data)
        self.today = today
        self.services: list[Service] = []
        asked = data.get("currency", "")
        known = asked if len(asked) == len("CNY") and asked.isascii() and asked.isupper() else "CNY"
        self.set_currencies({"CNY", known})

    def set_services(self, services: list[Service]) -> None:
        self.services = services
        every = [("", gettext_lazy("All"))]
        self.fields["service"].choices = every + [(row.public_id, row.name) for row in services]  # type: ignore[attr-defined]

    def set_currencies(self, currencies: set[str]) -> None:
        self.fields["currency"].choices = [(name, name) for name in sorted(currencies)]  # type: ignore[attr-defined]

    @property
    def chosen_service(self) -> Service | None:
        return next((row for row in self.services if row.public_id == self.cleaned_data["service"]), None)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["until"] = data.get("until") or self.today
        if not date(2000, 1, 1) <= data["until"] <= date(2999, 1, 1):
            self.add_error("until", _("The start date is after the end date or out of range."))
            return data
        data["since"] = data.get("since") or default_start(data["until"])
        if not date(2000, 1, 1) <= data["since"] <= data["until"]:
            self.add_error("since", _("The start date is after the end date or out of range."))
        elif (data["until"] - data["since"]).days >= rules.DAYS_MAX:
            self.add_error("since", _("Choose one year at most."))
        return data
