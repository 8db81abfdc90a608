"""The policy of plans that are granted at once: what is in force, and another version from now on."""

from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from kernel.actor import Actor
from kernel.desk import Colleague, Desk, VerbForm, Words, deed, page
from kernel.second import Matter, Plain, ask_second
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
    part_min_minor = forms.IntegerField(
        label=gettext_lazy("Each part at least"), help_text=gettext_lazy("In the smallest unit of the currency.")
    )
    apart_days = forms.IntegerField(label=gettext_lazy("Days between two plans of one person"))

    def clean_parts(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["parts"])

    def clean_every_days(self) -> tuple[int, ...]:
        return _numbers(self.cleaned_data["every_days"])


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version, which counts from now on. Plans that were agreed stay as they are."""
    last = EasePolicy.objects.order_by("-version")[0]
    several = {name: " ".join(map(str, last.terms[name])) for name in ("parts", "every_days")}
    return deed(
        colleague,
        gettext_lazy("Publish a version"),
        about=str(DESK.label),
        back=reverse("admin:orders_easepolicy_changelist"),
        form=EaseForm(colleague.given, row=last, initial=last.terms | several),
        preview=partial(_before, last),
        run=partial(_ask, colleague),
    )


def _before(last: EasePolicy) -> Words:
    says = _("Version %(version)d is in force. What is published counts from then on; plans that were agreed stay.")
    return says % {"version": last.version}


def _ask(colleague: Colleague, wish: dict[str, Any]) -> Words:
    """Nobody publishes alone. What could not be published is not asked for either."""
    terms = {name: value for name, value in wish.items() if name != "note"}
    orders.judge_ease(Ease(**terms), wish["note"])
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in terms.items()}
    return ask_second(colleague, MATTER, "ease", plain, wish["note"])


def _last() -> EasePolicy:
    return EasePolicy.objects.order_by("-version")[0]


def _stands(about: str) -> Plain:
    del about
    last = _last()
    return {"version": last.version, **last.terms}


def _wanted(about: str, wish: Plain) -> Plain:
    del about
    return wish


def _says(about: str, wish: Plain, at: datetime) -> Words:
    del about, wish, at
    return _before(_last())


def _run(about: str, wish: Plain, why: str, by: Actor, at: datetime) -> Words:
    del about
    made = orders.publish_ease_policy(convert(wish, Ease), why, after=_last().version, by=by, at=at)
    return _("Version %(version)d counts from now on.") % {"version": made.version}


def _address(about: str) -> str:
    del about
    return reverse("admin:orders_easepolicy_changelist")


MATTER = "ease_policy"
MATTERS = [
    Matter(
        name=MATTER,
        label=gettext_lazy("Publish plans granted at once"),
        deciders=PUBLISHERS,
        stands=_stands,
        wanted=_wanted,
        says=_says,
        run=_run,
        address=_address,
        names={name: field.label or name for name, field in EaseForm.base_fields.items()}
        | {"version": gettext_lazy("Version")},
    )
]


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split()
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):  # noqa: PLR2004  four digits
        raise forms.ValidationError(_("Whole numbers with blanks between."))
    return tuple(sorted({int(word) for word in words}))
