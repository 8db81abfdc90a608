"""What colleagues do about a person's limit, and the policy by which everybody's follow from their scores."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpResponse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import convert

from accounts.models import Person
from credit import limits, rules
from credit.models import Limited, LimitPolicy, Profile
from credit.policy import foresee_limits, judge_limits
from credit.queries import currency_limits_of, is_pinned
from kernel.actor import Actor
from kernel.console_actions import Colleague, Desk, Verb, VerbForm, Words, page
from kernel.forms import YuanField, minor_of, plain
from kernel.maker_checker import Plain
from kernel.money import Money
from kernel.policy_pages import Policy, matter_of_policy, publish_page
from kernel.refusal import NotFound
from kernel.templatetags.house import minor

PUBLISHERS = ("supervisor", "risk")
DESK = Desk(
    "limit_policy",
    gettext_lazy("Credit limits by score"),
    gettext_lazy("Credit limit of each score band, and how often it is reviewed"),
    PUBLISHERS,
)


def _profile(person: Person) -> Profile:
    """How the person stands.

    Raises:
        NotFound: they have no profile, or have left for good.
    """
    found = Profile.objects.filter(pk=person.pk, frozen_at__isnull=True).first()
    if found is None:
        raise NotFound
    return found


class LimitForm(VerbForm):
    """How much they may owe at once."""

    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False)
    limit = forms.CharField(label=gettext_lazy("New limit"), max_length=13)
    pinned = forms.BooleanField(
        label=gettext_lazy("Fix this limit regardless of score"),
        required=False,
        initial=True,
        help_text=gettext_lazy("Otherwise it follows the score from the next review."),
    )

    def __init__(self, *args: Any, row: Any, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        codes = [limited.currency for limited in _limits(row)]
        if len(codes) == 1:
            del self.fields["currency"]
        else:
            choice = self.fields["currency"]
            choice.choices, choice.initial = [(code, code) for code in codes], codes[0]  # type: ignore[attr-defined]

    def clean_limit(self) -> int:
        currency = self.cleaned_data.get("currency") or _profile(self.row).currency
        found = minor_of(self.cleaned_data["limit"], currency)
        if found is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


def _limits(person: Person) -> list[Limited]:
    """What they may owe of each currency, their own first."""
    return [_profile(person), *currency_limits_of(person.pk)]


def _has_limit(person: Person) -> bool:
    return Profile.objects.filter(pk=person.pk, frozen_at__isnull=True).exists()


def _stands(person: Person) -> dict[str, Any]:
    """Each limit and whether it is pinned, by names that end in its currency."""
    found: dict[str, Any] = {"score": _profile(person).score}
    for row in _limits(person):
        found[f"limit_{row.currency}"] = plain(Money(row.limit_minor, row.currency))
        found[f"pinned_{row.currency}"] = is_pinned(person.pk, row.currency)
    return found


def _wants(person: Person, wish: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, by the names under which it stands."""
    code = wish.get("currency") or _limits(person)[0].currency
    said = wish.get("limit", "")
    amount = minor_of(said, code)
    wanted = said if amount is None else plain(Money(amount, code))
    return {f"limit_{code}": wanted, f"pinned_{code}": wish.get("pinned", False)}


def _before(person: Person, at: datetime) -> Words:
    del at
    says = _(
        "Current limit %(limit)s, of which %(used)s is in use. Existing debt is not affected, even above the new limit."
    )
    return " ".join(
        says % {"limit": minor(row.limit_minor, row.currency), "used": minor(row.used_minor, row.currency)}
        for row in _limits(person)
    )


def _change(person_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    currency = wish.get("currency") or ""
    made = limits.change_limit(
        person_id, wish["limit"], wish["note"], currency=currency, pinned=wish["pinned"], by=by, at=at
    )
    return _("Credit limit changed to %(limit)s.") % {"limit": minor(made.limit_minor, made.currency)}


def _always(person: Person, wish: Any) -> bool:
    del person, wish
    return True


VERBS = [
    Verb(
        "change_limit",
        Person,
        gettext_lazy("Change credit limit"),
        ("risk", "supervisor"),
        _before,
        _change,
        LimitForm,
        fits=_has_limit,
        second=_always,
        deciders=("risk", "supervisor"),
        stands=_stands,
        wants=_wants,
    )
]


def _band(floor: int, name: str) -> YuanField:
    return YuanField(label=format_lazy(gettext_lazy("Band {name}, from a score of {floor}"), name=name, floor=floor))


class LimitsForm(VerbForm):
    """The terms, as they are in force, to be changed."""

    D, C, B, A, S = (_band(floor, name) for floor, name, _limit in rules.BANDS)
    open_orders_max = forms.IntegerField(label=gettext_lazy("Maximum concurrent orders"))
    review_days = forms.IntegerField(
        label=gettext_lazy("Review interval (days)"),
        help_text=gettext_lazy("At a review the limit follows the customer's score, unless it is fixed by staff."),
    )
    raises = forms.BooleanField(
        label=gettext_lazy("Reviews may raise limits"),
        required=False,
        help_text=gettext_lazy("Never while something is overdue or on a payment plan."),
    )


def _fields(terms: Plain) -> Plain:
    said = {name: plain(Money(minor)) for name, minor in terms["limits"].items()}
    return said | {name: terms[name] for name in ("open_orders_max", "review_days", "raises")}


def _terms(wish: Plain) -> Plain:
    limits_of = {name: wish[name] for _floor, name, _limit in rules.BANDS}
    return {"limits": limits_of} | {name: wish[name] for name in ("open_orders_max", "review_days", "raises")}


def _judge(terms: Plain, why: str) -> None:
    judge_limits(convert(terms, rules.Grades), why)


def _foreseen(terms: Plain, at: datetime) -> Words:
    seen = foresee_limits(convert(terms, rules.Grades), at=at)
    says = _(
        "Of the last %(decisions)d order requests, %(refused)d approved ones would have been declined and"
        " %(approved)d declined ones approved. Of %(people)d customers examined, %(higher)d would get a higher"
        " limit at their next review and %(lower)d a lower one; %(beyond)d of these already use more than that."
    )
    return says % asdict(seen)


POLICY = Policy(
    name="limit_policy",
    label=DESK.label,
    matter=gettext_lazy("Publish credit limits by score"),
    model=LimitPolicy,
    publishers=PUBLISHERS,
    form=LimitsForm,
    fields=_fields,
    terms=_terms,
    judge=_judge,
    foresee=_foreseen,
)
MATTERS = [matter_of_policy(POLICY)]


@page(*PUBLISHERS)
def publish(colleague: Colleague) -> HttpResponse:
    """Another version counts for what is decided from then on, and for limits as they are looked at."""
    return publish_page(POLICY, colleague)
