"""The policy of plans that are granted at once: what is in force, and another version from now on."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert, to_builtins

from kernel.actor import Actor
from kernel.desk import Colleague, Desk, VerbForm, Words, deed, names_of, page
from kernel.refusal import Refusal
from kernel.second import Matter, Plain, ask_second
from orders import services as orders
from orders.models import EasePolicy
from orders.rules import Ease

PUBLISHERS = ("supervisor",)
SHOWN_MAX = 20
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
    """Another version, written from the one in force or from an older one to go back to, counts from now on.

    Plans that were agreed stay as they are.
    """
    versions = list(EasePolicy.objects.order_by("-version")[:SHOWN_MAX])
    last, wanted = versions[0], colleague.request.GET.get("version", "")
    source = next((row for row in versions if str(row.version) == wanted), last)
    several = {name: " ".join(map(str, source.terms[name])) for name in ("parts", "every_days")}
    form = EaseForm(colleague.given, row=last, initial=source.terms | several)
    return deed(
        colleague,
        gettext_lazy("Publish a version"),
        about=str(DESK.label),
        back=reverse("admin:orders_easepolicy_changelist"),
        form=form,
        preview=partial(_before, last, form, colleague.at),
        run=partial(_ask, colleague),
        moves=_moves,
        template="console/ease.html",
        versions=versions,
        source=source,
        names=names_of(row.by for row in versions),
    )


def _before(last: EasePolicy, form: EaseForm, at: datetime) -> Words:
    """What is in force; and once other terms are written, what they would change."""
    says = _("Version %(version)d is in force. What is published counts from then on; plans that were agreed stay.")
    said = says % {"version": last.version}
    if not (form.is_bound and form.is_valid()):
        return said
    try:
        _moves(form.cleaned_data)
    except Refusal:
        return said
    return f"{said} {_foreseen(_ease(form.cleaned_data), at)}"


def _foreseen(terms: Ease, at: datetime) -> Words:
    seen = orders.foresee_ease(terms, at=at)
    says = _(
        "Of %(people)d people who owe something now, %(now)d can choose a plan and %(then)d could then: %(gain)d more,"
        " %(lose)d no longer, and %(others)d would be offered others."
    )
    return says % asdict(seen)


def _moves(wish: dict[str, Any]) -> list[Any]:
    """Nothing moves in the book, if it could be published at all."""
    orders.judge_ease(_ease(wish), wish["note"])
    return []


def _ease(wish: dict[str, Any]) -> Ease:
    return Ease(**{name: value for name, value in wish.items() if name != "note"})


def _ask(colleague: Colleague, wish: dict[str, Any]) -> Words:
    """Nobody publishes alone. What could not be published is not asked for either."""
    orders.judge_ease(_ease(wish), wish["note"])
    plain = to_builtins(_ease(wish))
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
    del about
    return _foreseen(convert(wish, Ease), at)


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
