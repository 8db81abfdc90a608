"""The page to publish a version of the automatic hardship plan policy."""

from dataclasses import asdict
from datetime import datetime

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from kernel.console_actions import Colleague, MenuItem, ReasonForm, StrOrPromise, console_page
from kernel.forms import YuanField, plain_amount
from kernel.maker_checker import JsonDict
from kernel.money import Money
from kernel.policy_pages import Policy, approval_type_of_policy, publish_page
from orders import services as orders
from orders.models import EasePolicy
from orders.rules import HardshipTerms

PUBLISHERS = ("supervisor",)
MENU_ITEM = MenuItem(
    "ease_policy",
    gettext_lazy("Automatic payment plans"),
    gettext_lazy("Plans offered to customers with difficulty paying"),
    PUBLISHERS,
)


class HardshipPolicyForm(ReasonForm):
    """The terms of a new version, initially those of the current one."""

    parts = forms.CharField(
        label=gettext_lazy("Number of instalments"), help_text=gettext_lazy("One or more, separated by spaces.")
    )
    every_days = forms.CharField(
        label=gettext_lazy("Days between instalments"), help_text=gettext_lazy("One or more, separated by spaces.")
    )
    days_max = forms.IntegerField(label=gettext_lazy("Last instalment within (days)"))
    part_min_minor = YuanField(
        label=gettext_lazy("Minimum per instalment"),
        help_text=gettext_lazy("In yuan; other currencies use the equivalent limit."),
    )
    apart_days = forms.IntegerField(label=gettext_lazy("Minimum days between two plans of one customer"))

    def clean_parts(self) -> tuple[int, ...]:
        return _parse_numbers(self.cleaned_data["parts"])

    def clean_every_days(self) -> tuple[int, ...]:
        return _parse_numbers(self.cleaned_data["every_days"])


def _form_fields(terms: JsonDict) -> JsonDict:
    several = {name: " ".join(map(str, terms[name])) for name in ("parts", "every_days")}
    several["part_min_minor"] = plain_amount(Money(terms["part_min_minor"]))
    return {name: terms[name] for name in HardshipPolicyForm.base_fields if name != "note"} | several


def _terms_from(data: JsonDict) -> JsonDict:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items() if name != "note"}


def _validate(terms: JsonDict, why: str) -> None:
    orders.validate_hardship_terms(convert(terms, HardshipTerms), why)


def _preview_impact(terms: JsonDict, at: datetime) -> StrOrPromise:
    seen = orders.preview_hardship_terms(convert(terms, HardshipTerms), at=at)
    text = _(
        "Of %(people)d customers with debts, %(now)d can choose a plan now and %(then)d after publishing: %(gain)d"
        " more, %(lose)d fewer; %(others)d would be offered different plans."
    )
    return text % asdict(seen)


POLICY = Policy(
    name="ease_policy",
    label=MENU_ITEM.label,
    approval_label=gettext_lazy("Publish automatic payment plans"),
    model=EasePolicy,
    publishers=PUBLISHERS,
    form=HardshipPolicyForm,
    terms_to_fields=_form_fields,
    fields_to_terms=_terms_from,
    validate=_validate,
    preview_impact=_preview_impact,
)
APPROVAL_TYPES = [approval_type_of_policy(POLICY)]


@console_page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Publish a version. It applies to plans agreed from then on."""
    return publish_page(POLICY, colleague)


def _parse_numbers(text: str) -> tuple[int, ...]:
    words = text.split()
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):  # noqa: PLR2004  four digits
        raise forms.ValidationError(_("Whole numbers separated by spaces."))
    return tuple(sorted({int(word) for word in words}))
