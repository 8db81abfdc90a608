"""Forms for the terms of a retry policy, and the labels of the terms."""

import re
from typing import Any

from babel import Locale
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _

from billing.services.retry_policies import INTEGER_TERMS, LIST_TERMS, REASON_MAX, calendar_countries
from kernel.forms import EffectiveFromField

#: Label and help text of each term, in display order.
TERMS = {
    "retry_days": (_("Retry days"), _("Days after the due time, such as 1, 2, 3, 5, 7.")),
    "retry_hour": (_("Retry hour"), _("Hour in the customer's time zone, 0 to 23.")),
    "quiet_from": (_("Quiet from"), _("No automatic retries from this hour (customer's time) …")),
    "quiet_until": (_("Quiet until"), _("… until this one.")),
    "instrument_a_day": (_("Per payment method per day"), _("Maximum number of retries.")),
    "instrument_in_30_days": (_("Per payment method per 30 days"), _("Maximum number of retries.")),
    "person_a_day": (
        _("Per customer per day"),
        _("Maximum number of retries across all their orders and payment methods."),
    ),
    "paydays": (_("Paydays"), _("Days of the month when wages are paid; a retry shortly before waits until then.")),
    "payday_reach": (_("Payday window"), _("How many days before a payday count as “shortly before”.")),
    "business_days_of": (_("Working-day calendar"), _("Retry only on working days of this country or region.")),
    "switch_on_soft": (
        _("Switch to the next payment method immediately"),
        _("When the first one has insufficient funds."),
    ),
    "technical_minutes": (
        _("After a channel failure"),
        _("Successive waits in minutes, such as 10, 30, 120."),
    ),
    "move_days_max": (_("Customer may postpone by"), _("Days; once only.")),
}
_SEPARATORS = re.compile(r"[\s,，、;；]+")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


class NumbersField(forms.CharField):
    """Whole numbers separated by commas or blanks."""

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else ", ".join(map(str, value))

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        parts = [part for part in _SEPARATORS.split(str(value or "")) if part]
        if not all(_WHOLE_NUMBER.fullmatch(part) for part in parts):
            raise ValidationError(_("Whole numbers separated by commas."))
        return [int(part) for part in parts]

    def validate(self, value: Any) -> None:
        """The service validates the values."""


class PolicyForm(forms.Form):
    """A version of a policy. The form only parses the terms; the service validates them."""

    effective_from = EffectiveFromField(
        help_text=format_lazy(
            _("{zone} time; immediately if empty. Existing schedules do not change."),
            zone=settings.CONSOLE_ZONE,
        ),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        help_text=_("Kept permanently with this version together with your name."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, help_text) in TERMS.items():
            self.fields[name] = _term_field(name, label=label, help_text=help_text)
        self.order_fields([*TERMS, "effective_from", "reason"])

    @property
    def terms(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in TERMS}


class NewPolicyForm(PolicyForm):
    """The first version of a new policy."""

    name = forms.CharField(
        label=_("Name"),
        max_length=20,
        help_text=_("The name services refer to: a–z, 0–9 and _. Cannot be changed later."),
    )
    field_order = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["name", *self.fields])


def _term_field(name: str, **options: Any) -> forms.Field:
    if name in LIST_TERMS:
        return NumbersField(required=False, **options)
    if name in INTEGER_TERMS:
        low, high = INTEGER_TERMS[name]
        return forms.IntegerField(widget=forms.NumberInput(attrs={"min": low, "max": high}), **options)
    if name == "switch_on_soft":
        return forms.BooleanField(required=False, **options)
    return forms.ChoiceField(choices=_country_choices, required=False, **options)


def _country_choices() -> list[tuple[str, Any]]:
    names = Locale.parse(to_locale(get_language() or "en")).territories
    return [
        ("", _("No restriction to working days")),
        *((code, f"{code} {names.get(code, '')}") for code in calendar_countries()),
    ]
