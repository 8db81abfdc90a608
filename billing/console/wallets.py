"""Stored value of somebody who has left for good: no page is theirs any more, so colleagues pay it out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Person
from billing.console.orders import always
from billing.models import Wallet
from billing.services import wallets
from credit.queries import has_left
from kernel.actor import Actor
from kernel.console_actions import Verb, VerbForm, Words
from kernel.money import Money
from kernel.templatetags.house import money

JUDGES = ("finance", "supervisor")


class PaidForm(VerbForm):
    """By which payment the money left."""

    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=wallets.REFERENCE_MAX,
        help_text=gettext_lazy("Payment reference that proves the payment was made."),
    )


def _left(person: Person) -> Money:
    wallet = Wallet.objects.filter(pk=person.pk).first()
    return Money(wallet.balance_minor, wallet.currency) if wallet and has_left(person.pk) else Money(0)


def _left_something(person: Person) -> bool:
    return bool(_left(person))


def _before(person: Person, at: datetime) -> Words:
    del at
    says = _(
        "%(amount)s came back after this customer closed their account. Pay it back to its source first, then record"
        " it here."
    )
    return says % {"amount": money(_left(person))}


def _pay_out(person_id: UUID, wish: dict[str, Any], by: Actor, at: datetime) -> Words:
    entry = wallets.pay_out_left(person_id, wish["reference"], by=by, at=at)
    return _("%(amount)s was paid out.") % {"amount": money(Money(-entry.amount_minor, entry.person.wallet.currency))}


def _books(person: Person) -> Q:
    return Q(debit_account="wallet", debit_owner=person.pk)


def _stands(person: Person) -> dict[str, Any]:
    return {"amount": str(_left(person))}


VERBS = [
    Verb(
        "pay_out_left",
        Person,
        gettext_lazy("Pay out money received after account closure"),
        JUDGES,
        _before,
        _pay_out,
        PaidForm,
        fits=_left_something,
        books=_books,
        second=always,
        deciders=JUDGES,
        stands=_stands,
    )
]
