"""Money that is a person's by a case is put into their stored value, or was paid to them by hand."""

from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing.models import Case, Wallet, WalletEntry
from billing.refusals import NoWallet
from billing.services.instruments import open_wallet
from billing.services.wallets import REFERENCE_MAX, refuse_used
from credit.leaving import lock_credit
from credit.queries import has_left
from kernel.money import Money
from kernel.refusal import FieldError, Invalid


def refuse_wallet(person_id: UUID, amount: Money) -> None:
    """Whoever has no stored value yet is given one; but it is in one currency.

    Raises:
        NoWallet: it is not in this currency, or its person has left for good, and nobody could take it out.
    """
    wallet = Wallet.objects.filter(pk=person_id).first() or Wallet()
    if wallet.currency != amount.currency or has_left(person_id):
        raise NoWallet


def put_into_wallet(case: Case, person_id: UUID, amount: Money, *, at: datetime) -> None:
    """What was booked to the person's stored value stands in it."""
    open_wallet(Person.objects.get(pk=person_id), at=at)
    Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + amount.minor)
    WalletEntry.objects.create(person_id=person_id, number=f"case {case.id.hex}", amount_minor=amount.minor, at=at)


def refuse_who_leaves(person_id: UUID) -> None:
    """Asked last, for it holds the profile: whoever leaves meanwhile waits for us, and is hindered by what they have.

    Raises:
        NoWallet: they have left since it was looked at.
    """
    lock_credit(person_id)
    if has_left(person_id):
        raise NoWallet


def paid_as_of(resolution: str, text: str) -> str:
    """As what the bank knows a payment by hand; each closes one case, or empties one wallet.

    Raises:
        Invalid: nothing says as what, or something does though nothing was paid by hand.
        ReferenceReused: that was another payment.
    """
    text = text.strip()
    if bool(text) != (resolution == Case.Resolution.BY_HAND) or len(text) > REFERENCE_MAX or not text.isprintable():
        raise Invalid(
            errors=[FieldError("/paid_as", _("Required if paid manually: the bank reference; leave empty otherwise."))]
        )
    if text:
        refuse_used(text)
    return text
