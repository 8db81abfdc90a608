"""A person's stored value: what comes in from their bank, and what goes back there."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from billing.models import Case, Wallet, WalletEntry
from billing.refusals import ReferenceReused, WalletTooLow
from credit.queries import has_left
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import NotFound, SecondNeeded
from ledger import rules as book
from ledger import services as ledger

#: How long the bank's word for a payment by hand may be.
REFERENCE_MAX = 60
_BY_HAND = "out %s"
#: Whoever says under which reference something was paid by hand holds that until it is written.
PAYING_BY_HAND = 9


@transaction.atomic
def top_up(person_id: UUID, amount: Money, reference: str, *, at: datetime) -> WalletEntry:
    """Money came in for the wallet under the bank's `reference`; the same reference counts once.

    Raises:
        ReferenceReused: it stands for another amount or person.
    """
    move = book.Move(book.clearing("sandbox"), book.wallet(person_id), amount)
    return _moved(person_id, amount.minor, reference, "topped_up", move, at=at)


@transaction.atomic
def take_out(person_id: UUID, amount: Money, reference: str, *, at: datetime) -> WalletEntry:
    """Money goes from the wallet to its person's bank under our `reference`; the same reference counts once.

    Raises:
        WalletTooLow: there is not so much in it.
        ReferenceReused: it stands for another amount or person.
    """
    move = book.Move(book.wallet(person_id), book.clearing("sandbox"), amount)
    return _moved(person_id, -amount.minor, reference, "taken_out", move, at=at)


@transaction.atomic
def pay_out_left(person_id: UUID, reference: str, *, by: Actor, at: datetime) -> WalletEntry:
    """All that stands in the wallet of somebody who has left was paid out by hand, under the bank's `reference`.

    Raises:
        SecondNeeded: no colleague says it alone.
        NotFound: they have not left, or nothing stands there.
        ReferenceReused: it stands for another payment.
    """
    if by.alone:
        raise SecondNeeded
    wallet = Wallet.objects.select_for_update(no_key=True).filter(pk=person_id, balance_minor__gt=0).first()
    if wallet is None or not has_left(person_id):
        raise NotFound
    reference = reference.strip()[:REFERENCE_MAX]
    refuse_used(reference)
    number = _BY_HAND % reference
    return take_out(person_id, Money(wallet.balance_minor, wallet.currency), number, at=at)


def refuse_used(reference: str) -> None:
    """Nobody else says anything of a payment by hand under this before our transaction has ended.

    Raises:
        ReferenceReused: under it something was paid already: a case, or what stood in a wallet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [PAYING_BY_HAND, reference])
    paid = WalletEntry.objects.filter(number=_BY_HAND % reference).exists()
    if paid or Case.objects.filter(paid_as=reference).exists():
        raise ReferenceReused


def _moved(person_id: UUID, minor: int, reference: str, kind: str, move: book.Move, *, at: datetime) -> WalletEntry:
    wallet = Wallet.objects.select_for_update(no_key=True).get(pk=person_id)
    known = WalletEntry.objects.filter(number=reference).exists()
    if not known and wallet.balance_minor + minor < 0:
        raise WalletTooLow
    entry, made = WalletEntry.objects.get_or_create(
        number=reference, defaults={"person_id": person_id, "amount_minor": minor, "at": at}
    )
    if (entry.person_id, entry.amount_minor) != (person_id, minor):
        raise ReferenceReused
    if made:
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + minor)
        ledger.post([ledger.Fact(entry.id, kind, [move])], realm_id=wallet.realm_id, at=at)
    return entry
