"""The policy of plans that are granted at once: what is in force, and another version from now on."""

from dataclasses import asdict
from datetime import datetime

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from kernel.console_actions import Colleague, Desk, VerbForm, Words, page
from kernel.forms import YuanField, plain
from kernel.maker_checker import Plain
from kernel.money import Money
from kernel.policy_pages import Policy, matter_of_policy, publish_page
from orders import services as orders
from orders.models import EasePolicy
from orders.rules import Ease

PUBLISHERS = ("supervisor",)
DESK = Desk(
    "ease_policy",
    gettext_lazy("Automatic payment plans"),
    gettext_lazy("Plans offered to customers with difficulty paying"),
    PUBLISHERS,
)


class EaseForm(VerbForm):
    """The terms, as they are in force, to be changed."""

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
        return _numbers(self.cleaned_data["parts"])

    def clean_every_days(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["every_days"])


def _fields(terms: Plain) -> Plain:
    several = {name: " ".join(map(str, terms[name])) for name in ("parts", "every_days")}
    several["part_min_minor"] = plain(Money(terms["part_min_minor"]))
    return {name: terms[name] for name in EaseForm.base_fields if name != "note"} | several


def _terms(wish: Plain) -> Plain:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in wish.items() if name != "note"}


def _judge(terms: Plain, why: str) -> None:
    orders.judge_ease(convert(terms, Ease), why)


def _foreseen(terms: Plain, at: datetime) -> Words:
    seen = orders.foresee_ease(convert(terms, Ease), at=at)
    says = _(
        "Of %(people)d customers with debts, %(now)d can choose a plan now and %(then)d after publishing: %(gain)d"
        " more, %(lose)d fewer; %(others)d would be offered different plans."
    )
    return says % asdict(seen)


POLICY = Policy(
    name="ease_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish automatic payment plans"),
    model=EasePolicy,
    publishers=PUBLISHERS,
    form=EaseForm,
    fields=_fields,
    terms=_terms,
    judge=_judge,
    foresee=_foreseen,
)
MATTERS = [matter_of_policy(POLICY)]


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version counts for what is agreed from then on."""
    return publish_page(POLICY, colleague)


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split()
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):  # noqa: PLR2004  four digits
        raise forms.ValidationError(_("Whole numbers separated by spaces."))
    return tuple(sorted({int(word) for word in words}))
