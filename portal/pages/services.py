"""The merchant's services and their terms."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from kernel.forms import plain_amount
from kernel.money import OFFERED_CURRENCIES, Money
from kernel.templatetags.formatting import currency_name
from merchants import queries as merchant_queries
from merchants import services as merchant_services
from merchants.models import Service
from portal import labels
from portal.forms import AmountField, ChangeForm, render_form
from portal.staff import Staff, merchant_page

_FORM = require_http_methods(["GET", "HEAD", "POST"])
SCORE_HIGHEST = 950


class ServiceForm(forms.Form):
    """Terms of a service that can be changed; open orders keep their terms."""

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


def _to_terms(data: dict[str, Any]) -> dict[str, Any]:
    return {"ceiling_minor" if name == "ceiling" else name: value for name, value in data.items()}


def _currencies() -> list[tuple[str, str]]:
    """Currencies a service can have, CNY first."""
    return [
        (code, f"{currency_name(code)} {code}")
        for code in sorted(OFFERED_CURRENCIES, key=lambda code: (code != "CNY", code))
    ]


class NewServiceForm(ServiceForm):
    """Also the terms that cannot be changed later."""

    mode = forms.ChoiceField(
        label=gettext_lazy("When is the amount known?"),
        choices=[
            (Service.Mode.DYNAMIC, gettext_lazy("When the service ends")),
            (Service.Mode.FIXED, gettext_lazy("When ordered")),
        ],
    )
    industry = forms.ChoiceField(
        label=gettext_lazy("Industry"), choices=[*labels.INDUSTRY_LABELS.items()], initial="general"
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=_currencies, initial="CNY")
    field_order = ("name", "description", "mode", "industry", "currency", "ceiling", "score_min", "confirmation")


class ChangeServiceForm(ChangeForm, ServiceForm):
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[
            (Service.State.ACTIVE, gettext_lazy("Active")),
            (Service.State.PAUSED, gettext_lazy("Paused: no new agreements; open orders continue")),
        ],
    )


@require_safe
@merchant_page("services")
def service_list(staff: Staff) -> HttpResponse:
    """All services, each with the late terms (`bounds` applied) and the fee that count for new orders, and whether
    another fee is still to come.
    """
    bounds = merchant_queries.late_bounds(staff.at)
    found = merchant_queries.services_of(staff.merchant.id).order_by("-pk")
    rows = [(row, bounds.clamp(row.late_terms), row.fee_bps_at(staff.at), _has_coming_fee(row, staff)) for row in found]
    return staff.render("portal/services.html", rows=rows)


def _has_coming_fee(service: Service, staff: Staff) -> bool:
    return service.next_fee_from is not None and service.next_fee_from > staff.at


@_FORM
@merchant_page("add_service")
def add_service(staff: Staff) -> HttpResponse:
    currency = str(staff.request.POST.get("currency", "CNY"))
    form = NewServiceForm(staff.form_data, currency=currency if currency in OFFERED_CURRENCIES else "CNY")

    def run(data: dict[str, Any]) -> HttpResponse:
        merchant_services.offer_service(staff.merchant.id, _to_terms(data), by=staff.actor, at=staff.at)
        staff.add_message(_("Service created."))
        return staff.redirect_to("services")

    lead = _("Customers open it once, then use it now and pay later.")
    return render_form(staff, form, run, title=_("Add service"), button=_("Add"), back=staff.url("services"), lead=lead)


@_FORM
@merchant_page("change_service")
def change_service(staff: Staff, service: str) -> HttpResponse:
    found = merchant_queries.service_of(staff.merchant.id, staff.parse_id("svc", service))
    now = {name: getattr(found, name) for name in ("name", "description", "score_min", "confirmation", "state")}
    now["ceiling"] = plain_amount(Money(found.ceiling_minor, found.currency))
    form = ChangeServiceForm(staff.form_data, currency=found.currency, initial=now)

    def run(_data: dict[str, Any]) -> HttpResponse:
        if terms := _to_terms(form.changes):
            merchant_services.change_service(staff.merchant.id, found.id, terms, by=staff.actor, at=staff.at)
            staff.add_message(_("The new terms apply to orders from now on."))
        return staff.redirect_to("services")

    lead = _("Open orders keep the terms they were created under.")
    return render_form(
        staff, form, run, title=_("Edit service"), button=_("Save"), back=staff.url("services"), lead=lead
    )
