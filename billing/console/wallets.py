"""Row action that pays out the wallet of a person who has closed their account."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Person
from billing.console.order_actions import always_needs_approval
from billing.models import Wallet
from billing.services import wallets
from credit.queries import has_left
from kernel.actor import Actor
from kernel.console_actions import ReasonForm, RowAction, StrOrPromise
from kernel.money import Money
from kernel.templatetags.formatting import money

RESOLVERS = ("finance", "supervisor")


class PaidOutForm(ReasonForm):
    """The reference of the payment to the customer."""

    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=wallets.REFERENCE_MAX,
        help_text=gettext_lazy("Payment reference that proves the payment was made."),
    )


def _balance_after_closure(person: Person) -> Money:
    wallet = Wallet.objects.filter(pk=person.pk).first()
    return Money(wallet.balance_minor, wallet.currency) if wallet and has_left(person.pk) else Money(0)


def _has_balance(person: Person) -> bool:
    return bool(_balance_after_closure(person))


def _preview(person: Person, at: datetime) -> StrOrPromise:
    del at
    text = _(
        "%(amount)s came back after this customer closed their account. Pay it back to its source first, then record"
        " it here."
    )
    return text % {"amount": money(_balance_after_closure(person))}


def _pay_out(person_id: UUID, data: dict[str, Any], by: Actor, at: datetime) -> StrOrPromise:
    entry = wallets.pay_out_remaining(person_id, data["reference"], by=by, at=at)
    return _("%(amount)s was paid out.") % {"amount": money(Money(-entry.amount_minor, entry.person.wallet.currency))}


def _posting_filter(person: Person) -> Q:
    return Q(debit_account="wallet", debit_owner=person.pk)


def _snapshot(person: Person) -> dict[str, Any]:
    return {"amount": str(_balance_after_closure(person))}


ROW_ACTIONS = [
    RowAction(
        "pay_out_left",
        Person,
        gettext_lazy("Pay out money received after account closure"),
        RESOLVERS,
        _preview,
        _pay_out,
        PaidOutForm,
        applies_to=_has_balance,
        posting_filter=_posting_filter,
        needs_approval=always_needs_approval,
        approvers=RESOLVERS,
        snapshot=_snapshot,
    )
]
