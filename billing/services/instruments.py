"""Where a person's money may be taken from."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max

from accounts import services as accounts
from accounts.models import Person
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.models import Instrument, Wallet, WalletEntry
from billing.refusals import ReferenceReused
from billing.services.plan import plan_from
from credit import services as credit
from kernel.actor import Actor
from kernel.money import Money
from ledger import rules as book
from ledger import services as ledger

#: What a scripted person starts with: band A, so that an ordinary order is not refused.
SANDBOX_SCORE = 720
WALLET = "wallet"
SANDBOX_CARD = "沙箱银行卡"


@dataclass(frozen=True, slots=True)
class Script:
    """How a sandbox person's bank account behaves."""

    behaviour: Behaviour
    until: datetime | None = None
    balance_minor: int | None = None


@transaction.atomic
def add_instrument(person: Person, channel: str, token: str, label: str, *, at: datetime) -> Instrument:
    """One more place to take money from, tried after those already there; an unplanned debt is planned for it.

    A wallet is empty when it is opened, and what comes into it its person pays with by themselves.
    """
    last = person.instruments.aggregate(last=Max("priority"))["last"] or 0
    instrument = Instrument.objects.create(
        realm_id=person.realm_id,
        person=person,
        channel=channel,
        token=token,
        label=label,
        priority=last + 1,
        created_at=at,
    )
    if channel != WALLET:
        plan_from(instrument, at=at)
    return instrument


@transaction.atomic
def open_wallet(person: Person, *, at: datetime) -> Wallet:
    """A wallet for stored value, and the instrument that takes from it. Twice is once."""
    wallet, made = Wallet.objects.get_or_create(person=person, defaults={"realm_id": person.realm_id})
    if made:
        add_instrument(person, WALLET, str(person.id), "钱包余额", at=at)
    return wallet


@transaction.atomic
def sign_with_wallet(agreement_id: UUID, person: Person, *, by: Actor, at: datetime) -> credit.Signing:
    """The person opens a service, and has a wallet to pay it from: both, or neither.

    Raises:
        NotFound, AgreementState, AlreadyOpened: as credit.sign_agreement says.
    """
    open_wallet(person, at=at)
    return credit.sign_agreement(agreement_id, person.id, by=by, at=at)


@transaction.atomic
def top_up(person_id: UUID, amount: Money, reference: str, *, at: datetime) -> WalletEntry:
    """Money came in for the wallet under the bank's `reference`; the same reference counts once.

    Raises:
        ReferenceReused: it stands for another amount or person.
    """
    wallet = Wallet.objects.select_for_update(no_key=True).get(pk=person_id)
    entry, made = WalletEntry.objects.get_or_create(
        number=reference, defaults={"person_id": person_id, "amount_minor": amount.minor, "at": at}
    )
    if (entry.person_id, entry.amount_minor) != (person_id, amount.minor):
        raise ReferenceReused
    if made:
        Wallet.objects.filter(pk=person_id).update(balance_minor=F("balance_minor") + amount.minor)
        move = book.Move(book.clearing("sandbox"), book.wallet(person_id), amount)
        ledger.post([ledger.Fact(entry.id, "topped_up", [move])], realm_id=wallet.realm_id, at=at)
    return entry


@transaction.atomic
def script_person(name: str, script: Script, *, realm_id: int, by: Actor, at: datetime) -> Person:
    """A sandbox person who behaves as told: verified, with credit, and an account at the sandbox bank."""
    person = accounts.make_sandbox_person(name, realm_id=realm_id, by=by, at=at)
    credit.open_profile(person, score=SANDBOX_SCORE, at=at)
    instrument = add_instrument(person, "sandbox", f"{realm_id}:{person.id.hex}", SANDBOX_CARD, at=at)
    # The bank commits on its own: an account whose person was rolled back is never charged.
    bank.open_account(instrument.token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    return person
