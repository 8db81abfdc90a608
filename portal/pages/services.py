"""What the merchant offers, and on which terms."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kernel.forms import plain
from kernel.money import OFFERED, Money
from kernel.templatetags.house import currency as currency_name
from merchants import queries as merchants
from merchants import services as tenant
from merchants.models import Service
from portal import wording
from portal.forms import Amendment, AmountField, ask
from portal.staff import Staff, page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
SCORE_HIGHEST = 950


class Terms(forms.Form):
    """What may change of a service; orders already open keep theirs."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=40)
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ceiling = _("Maximum per order, in %(currency)s") % {"currency": currency_name(currency)}
        self.fields["ceiling"] = AmountField(label=ceiling, currency=currency)
        self.fields["score_min"] = forms.IntegerField(
            label=_("Lowest score"),
            min_value=0,
            max_value=SCORE_HIGHEST,
            initial=0,
            help_text=_("0 means no minimum."),
        )
        self.fields["confirmation"] = forms.BooleanField(label=_("Customer confirms each order"), required=False)

    def clean_ceiling(self) -> int:
        ceiling = int(self.cleaned_data["ceiling"])
        if ceiling < 1:
            raise forms.ValidationError(_("Must be greater than zero."))
        return ceiling


def _terms(given: dict[str, Any]) -> dict[str, Any]:
    return {"ceiling_minor" if name == "ceiling" else name: value for name, value in given.items()}


def _currencies() -> list[tuple[str, str]]:
    """What services may be offered in, that of most of them first."""
    return [(code, f"{currency_name(code)} {code}") for code in sorted(OFFERED, key=lambda code: (code != "CNY", code))]


class NewService(Terms):
    """What is fixed for good as well."""

    mode = forms.ChoiceField(
        label=gettext_lazy("When is the amount known?"),
        choices=[
            (Service.Mode.DYNAMIC, gettext_lazy("When the service ends")),
            (Service.Mode.FIXED, gettext_lazy("When ordered")),
        ],
    )
    industry = forms.ChoiceField(
        label=gettext_lazy("Industry"), choices=[*wording.INDUSTRIES.items()], initial="general"
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=_currencies, initial="CNY")
    field_order = ("name", "description", "mode", "industry", "currency", "ceiling", "score_min", "confirmation")


class ChangedService(Amendment, Terms):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[
            (Service.State.ACTIVE, gettext_lazy("Active")),
            (Service.State.PAUSED, gettext_lazy("Paused: no new agreements; open orders continue")),
        ],
    )


@require_safe
@page("services")
def services(staff: Staff) -> HttpResponse:
    """Each with what counts for its orders from now on when they are late: what it says, or the platform's policy."""
    bounds = merchants.late_bounds(staff.at)
    found = merchants.services_of(staff.merchant.id).order_by("-pk")
    return staff.show("portal/services.html", rows=[(row, bounds.kinder(row.late_terms)) for row in found])


@_FORM
@page("add_service")
def add_service(staff: Staff) -> HttpResponse:
    currency = str(staff.request.POST.get("currency", "CNY"))
    form = NewService(staff.given, currency=currency if currency in OFFERED else "CNY")

    def run(given: dict[str, Any]) -> HttpResponse:
        tenant.offer_service(staff.merchant.id, _terms(given), by=staff.actor, at=staff.at)
        staff.tell(_("Service created."))
        return staff.to("services")

    lead = _("Customers open it once, then use it now and pay later.")
    return ask(staff, form, run, title=_("Add service"), button=_("Add"), back=staff.url("services"), lead=lead)


@_FORM
@page("change_service")
def change_service(staff: Staff, service: str) -> HttpResponse:
    found = merchants.service_of(staff.merchant.id, staff.named("svc", service))
    now = {name: getattr(found, name) for name in ("name", "description", "score_min", "confirmation", "state")}
    now["ceiling"] = plain(Money(found.ceiling_minor, found.currency))
    form = ChangedService(staff.given, currency=found.currency, initial=now)

    def run(_given: dict[str, Any]) -> HttpResponse:
        if terms := _terms(form.amended):
            tenant.change_service(staff.merchant.id, found.id, terms, by=staff.actor, at=staff.at)
            staff.tell(_("The new terms apply to orders from now on."))
        return staff.to("services")

    lead = _("Open orders keep the terms they were created under.")
    return ask(staff, form, run, title=_("Edit service"), button=_("Save"), back=staff.url("services"), lead=lead)
