"""Closing a case in a person's favour: their wallet is credited, or they were paid by hand."""

from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing.models import Case, Wallet, WalletEntry
from billing.refusals import NoWallet
from billing.services.instruments import open_wallet
from billing.services.wallets import REFERENCE_MAX, ensure_reference_unused
from credit.erasure import lock_credit
from credit.queries import has_left
from kernel.money import Money
from kernel.refusal import FieldError, Invalid


def require_usable_wallet(person_id: UUID, amount: Money) -> None:
    """Check that the amount can be credited to the person's wallet. One is opened if they have none.

    Raises:
        NoWallet: the wallet is in another currency, or the person has closed their account and could not withdraw it.
    """
    wallet = Wallet.objects.filter(pk=person_id).first() or Wallet()
    if wallet.currency != amount.currency or has_left(person_id):
        raise NoWallet


def credit_wallet(case: Case, person_id: UUID, amount: Money, *, at: datetime) -> None:
    """Credit the person's wallet with what was posted to it."""
    open_wallet(Person.objects.get(pk=person_id), at=at)
    Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + amount.minor)
    WalletEntry.objects.create(person_id=person_id, number=f"case {case.id.hex}", amount_minor=amount.minor, at=at)


def require_not_leaving(person_id: UUID) -> None:
    """Check that the person has not closed their account meanwhile. Called last, because it locks the profile: somebody
    who closes it at the same time waits, and then cannot because of their balance.

    Raises:
        NoWallet: they have closed their account since the first check.
    """
    lock_credit(person_id)
    if has_left(person_id):
        raise NoWallet


def clean_payment_reference(resolution: str, text: str) -> str:
    """The bank reference of a payment by hand, validated. Each reference closes one case or empties one wallet.

    Raises:
        Invalid: it is missing, or was given although nothing was paid by hand.
        ReferenceReused: it is of another payment.
    """
    text = text.strip()
    if bool(text) != (resolution == Case.Resolution.BY_HAND) or len(text) > REFERENCE_MAX or not text.isprintable():
        raise Invalid(
            errors=[FieldError("/paid_as", _("Required if paid manually: the bank reference; leave empty otherwise."))]
        )
    if text:
        ensure_reference_unused(text)
    return text
