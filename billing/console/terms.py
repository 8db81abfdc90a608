"""The form in which a policy's terms are written, and what each of them is called."""

import re
from typing import Any

from babel import Locale
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _

from billing.services.policies import MANY, ONE, REASON_MAX, countries
from kernel.forms import SinceField

#: What each term is called and what it means, in the order in which they are shown.
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
_APART = re.compile(r"[\s,，、;；]+")
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


class Numbers(forms.CharField):
    """Whole numbers, with commas or blanks between them."""

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else ", ".join(map(str, value))

    def to_python(self, value: Any) -> list[int]:  # type: ignore[override]
        parts = [part for part in _APART.split(str(value or "")) if part]
        if not all(_WHOLE.fullmatch(part) for part in parts):
            raise ValidationError(_("Whole numbers separated by commas."))
        return [int(part) for part in parts]

    def validate(self, value: Any) -> None:
        """Whether they are the right ones, the service says."""


class PolicyForm(forms.Form):
    """A version of a policy. What its terms may be the service says; here they are only read."""

    effective_from = SinceField(
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
            self.fields[name] = _field(name, label=label, help_text=help_text)
        self.order_fields([*TERMS, "effective_from", "reason"])

    @property
    def terms(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in TERMS}


class NewPolicyForm(PolicyForm):
    """The first version of a policy that there was not."""

    name = forms.CharField(
        label=_("Name"),
        max_length=20,
        help_text=_("The name services refer to: a–z, 0–9 and _. Cannot be changed later."),
    )
    field_order = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["name", *self.fields])


def _field(name: str, **said: Any) -> forms.Field:
    if name in MANY:
        return Numbers(required=False, **said)
    if name in ONE:
        low, high = ONE[name]
        return forms.IntegerField(widget=forms.NumberInput(attrs={"min": low, "max": high}), **said)
    if name == "switch_on_soft":
        return forms.BooleanField(required=False, **said)
    return forms.ChoiceField(choices=_countries, required=False, **said)


def _countries() -> list[tuple[str, Any]]:
    names = Locale.parse(to_locale(get_language() or "en")).territories
    return [
        ("", _("No restriction to working days")),
        *((code, f"{code} {names.get(code, '')}") for code in countries()),
    ]
