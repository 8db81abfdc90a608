"""Which days of which service somebody asks to see figures of, as a form."""

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


def day_of(at: datetime) -> date:
    """The day it is for the console's colleagues; figures are counted by these days."""
    return at.astimezone(ZoneInfo(settings.CONSOLE_ZONE)).date()


def first_shown(until: date) -> date:
    """From which day on figures are shown if nobody says another."""
    return until - timedelta(days=rules.DAYS_SHOWN - 1)


class DaysForm(forms.Form):
    """From one day to another, of one service or all, in one currency."""

    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    until = forms.DateField(label=gettext_lazy("To"), required=False, widget=forms.DateInput(_DAY, "%Y-%m-%d"))
    service = forms.ChoiceField(label=gettext_lazy("Service"), required=False)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False)

    def __init__(self, given: Any, *, today: date) -> None:
        super().__init__(given)
        self.today = today
        self.services: list[Service] = []
        asked = given.get("currency", "")
        known = asked if len(asked) == len("CNY") and asked.isascii() and asked.isupper() else "CNY"
        self.offer_currencies({"CNY", known})

    def offer_services(self, services: list[Service]) -> None:
        self.services = services
        every = [("", gettext_lazy("All"))]
        self.fields["service"].choices = every + [(row.public_id, row.name) for row in services]  # type: ignore[attr-defined]

    def offer_currencies(self, currencies: set[str]) -> None:
        self.fields["currency"].choices = [(name, name) for name in sorted(currencies)]  # type: ignore[attr-defined]

    @property
    def chosen_service(self) -> Service | None:
        return next((row for row in self.services if row.public_id == self.cleaned_data["service"]), None)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        given["until"] = given.get("until") or self.today
        if not date(2000, 1, 1) <= given["until"] <= date(2999, 1, 1):
            self.add_error("until", _("The start date is after the end date or out of range."))
            return given
        given["since"] = given.get("since") or first_shown(given["until"])
        if not date(2000, 1, 1) <= given["since"] <= given["until"]:
            self.add_error("since", _("The start date is after the end date or out of range."))
        elif (given["until"] - given["since"]).days >= rules.DAYS_MAX:
            self.add_error("since", _("Choose one year at most."))
        return given
