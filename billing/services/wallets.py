"""A person's wallet for stored value: top-ups from their bank, and withdrawals to it."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from billing.models import Case, Wallet, WalletEntry
from billing.refusals import ReferenceReused, WalletTooLow
from credit.queries import has_left
from kernel.actor import Actor
from kernel.money import Money
from kernel.refusal import ApprovalRequired, NotFound
from ledger import accounts as book
from ledger import services as ledger

#: Maximum length of the bank reference of a manual payment.
REFERENCE_MAX = 60
_MANUAL_NUMBER = "out %s"
#: Class of the advisory locks on references of manual payments, held until the reference is stored.
MANUAL_PAYOUT_LOCK = 9


@transaction.atomic
def top_up(person_id: UUID, amount: Money, reference: str, *, at: datetime) -> WalletEntry:
    """Book a top-up that arrived under the bank's `reference`. Idempotent by reference.

    Raises:
        ReferenceReused: the reference was used for another amount or person.
    """
    move = book.Move(book.clearing("sandbox"), book.wallet(person_id), amount)
    return _record_entry(person_id, amount.minor, reference, "topped_up", move, at=at)


@transaction.atomic
def withdraw(person_id: UUID, amount: Money, reference: str, *, at: datetime) -> WalletEntry:
    """Book a withdrawal to the person's bank under our `reference`. Idempotent by reference.

    Raises:
        WalletTooLow: the balance is too low.
        ReferenceReused: the reference was used for another amount or person.
    """
    move = book.Move(book.wallet(person_id), book.clearing("sandbox"), amount)
    return _record_entry(person_id, -amount.minor, reference, "taken_out", move, at=at)


@transaction.atomic
def pay_out_remaining(person_id: UUID, reference: str, *, by: Actor, at: datetime) -> WalletEntry:
    """Book the manual payout of the remaining balance of a person who has left, under the bank's `reference`.

    Raises:
        ApprovalRequired: this needs dual approval.
        NotFound: the person has not left, or the balance is zero.
        ReferenceReused: the reference was used for another payment.
    """
    if by.is_unapproved_staff:
        raise ApprovalRequired
    wallet = Wallet.objects.select_for_update(no_key=True).filter(pk=person_id, balance_minor__gt=0).first()
    if wallet is None or not has_left(person_id):
        raise NotFound
    reference = reference.strip()[:REFERENCE_MAX]
    ensure_reference_unused(reference)
    number = _MANUAL_NUMBER % reference
    return withdraw(person_id, Money(wallet.balance_minor, wallet.currency), number, at=at)


def ensure_reference_unused(reference: str) -> None:
    """Lock the reference of a manual payment until the transaction ends, and check that it is unused.

    Raises:
        ReferenceReused: a case or a wallet was paid under this reference already.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [MANUAL_PAYOUT_LOCK, reference])
    paid = WalletEntry.objects.filter(number=_MANUAL_NUMBER % reference).exists()
    if paid or Case.objects.filter(paid_as=reference).exists():
        raise ReferenceReused


def _record_entry(
    person_id: UUID, minor: int, reference: str, kind: str, move: book.Move, *, at: datetime
) -> WalletEntry:
    wallet = Wallet.objects.select_for_update(no_key=True).get(pk=person_id)
    is_repeat = WalletEntry.objects.filter(number=reference).exists()
    if not is_repeat and wallet.balance_minor + minor < 0:
        raise WalletTooLow
    entry, created = WalletEntry.objects.get_or_create(
        number=reference, defaults={"person_id": person_id, "amount_minor": minor, "at": at}
    )
    if (entry.person_id, entry.amount_minor) != (person_id, minor):
        raise ReferenceReused
    if created:
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + minor)
        ledger.post([ledger.JournalEntry(entry.id, kind, [move])], realm_id=wallet.realm_id, at=at)
    return entry
