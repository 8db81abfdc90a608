"""What colleagues do about a person's limit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Person
from credit import limits
from credit.models import Limited, Profile
from credit.queries import currency_limits_of
from kernel.actor import Actor
from kernel.desk import Verb, VerbForm, Words
from kernel.forms import minor_of, plain
from kernel.money import Money
from kernel.refusal import NotFound
from kernel.templatetags.house import minor


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
    own, *others = _limits(person)
    more = {f"limit_{row.currency}": _limit(row) for row in others}
    return {"limit": _limit(own), "score": _profile(person).score, **more}


def _limit(row: Limited) -> str:
    return plain(Money(row.limit_minor, row.currency))


def _before(person: Person, at: datetime) -> Words:
    del at
    says = _("%(limit)s may be owed at once, and %(used)s of it is used. What is owed already stays, be it more.")
    return " ".join(
        says % {"limit": minor(row.limit_minor, row.currency), "used": minor(row.used_minor, row.currency)}
        for row in _limits(person)
    )


def _change(person_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    currency = wish.get("currency") or ""
    made = limits.change_limit(person_id, wish["limit"], wish["note"], currency=currency, by=by, at=at)
    return _("From now on %(limit)s may be owed at once.") % {"limit": minor(made.limit_minor, made.currency)}


def _always(person: Person, wish: Any) -> bool:
    del person, wish
    return True


VERBS = [
    Verb(
        "change_limit",
        Person,
        gettext_lazy("Change the limit"),
        ("risk", "supervisor"),
        _before,
        _change,
        LimitForm,
        fits=_has_limit,
        second=_always,
        deciders=("risk", "supervisor"),
        stands=_stands,
    )
]
