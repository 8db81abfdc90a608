"""What colleagues do about a person's limit."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Person
from credit import limits
from credit.models import Profile
from kernel.actor import Actor
from kernel.desk import Verb, VerbForm, Words
from kernel.forms import minor_of, plain
from kernel.money import Money
from kernel.refusal import NotFound
from kernel.templatetags.house import money


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

    limit = forms.CharField(label=gettext_lazy("New limit"), max_length=13)

    def clean_limit(self) -> int:
        found = minor_of(self.cleaned_data["limit"], _profile(self.row).currency)
        if found is None:
            raise forms.ValidationError(_("An amount such as 12.34."))
        return found


def _has_limit(person: Person) -> bool:
    return Profile.objects.filter(pk=person.pk, frozen_at__isnull=True).exists()


def _stands(person: Person) -> dict[str, Any]:
    profile = _profile(person)
    limit = Money(profile.limit_minor, profile.currency)
    return {"limit": plain(limit), "score": profile.score}


def _before(person: Person, at: datetime) -> Words:
    del at
    profile = _profile(person)
    says = _("%(limit)s may be owed at once, and %(used)s of it is used. What is owed already stays, be it more.")
    limit, used = (Money(minor, profile.currency) for minor in (profile.limit_minor, profile.used_minor))
    return says % {"limit": money(limit), "used": money(used)}


def _change(person_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    made = limits.change_limit(person_id, wish["limit"], wish["note"], by=by, at=at)
    return _("From now on %(limit)s may be owed at once.") % {"limit": money(Money(made.limit_minor))}


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
