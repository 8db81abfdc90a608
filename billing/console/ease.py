"""The policy of plans that are granted at once: what is in force, and another version from now on."""

from dataclasses import asdict
from datetime import datetime

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from kernel.desk import Colleague, Desk, VerbForm, Words, page
from kernel.forms import YuanField, plain
from kernel.money import Money
from kernel.second import Plain
from kernel.shelf import Policy, matter_of_policy, publish_page
from orders import services as orders
from orders.models import EasePolicy
from orders.rules import Ease

PUBLISHERS = ("supervisor",)
DESK = Desk(
    "ease_policy", gettext_lazy("Plans granted at once"), gettext_lazy("Who finds paying hard chooses from these"),
    PUBLISHERS,
)  # fmt: skip


class EaseForm(VerbForm):
    """The terms, as they are in force, to be changed."""

    parts = forms.CharField(
        label=gettext_lazy("How many parts"), help_text=gettext_lazy("Several, with blanks between.")
    )
    every_days = forms.CharField(
        label=gettext_lazy("How many days apart"), help_text=gettext_lazy("Several, with blanks between.")
    )
    days_max = forms.IntegerField(label=gettext_lazy("Last part at most so many days from now"))
    part_min_minor = YuanField(
        label=gettext_lazy("Each part at least"),
        help_text=gettext_lazy("In yuan; in another currency what a limit of that would be."),
    )
    apart_days = forms.IntegerField(label=gettext_lazy("Days between two plans of one person"))

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
        "Of %(people)d people who owe something now, %(now)d can choose a plan and %(then)d could then: %(gain)d more,"
        " %(lose)d no longer, and %(others)d would be offered others."
    )
    return says % asdict(seen)


POLICY = Policy(
    name="ease_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish plans granted at once"),
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
        raise forms.ValidationError(_("Whole numbers with blanks between."))
    return tuple(sorted({int(word) for word in words}))
