"""Where a person's money may be taken from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts import services as accounts
from accounts.models import Person
from billing import purse
from billing.channels import bank
from billing.channels.bank import Behaviour
from billing.labels import SANDBOX_CARD, WALLET_BALANCE
from billing.models import Deduction, Instrument, InstrumentChange, Wallet
from billing.refusals import (
    InstrumentInUse,
    InstrumentNeeded,
    LimitInvalid,
    NameInvalid,
    TooManyInstruments,
    WalletStays,
)
from billing.services.plan import follow_instruments, plan_from
from credit import services as credit
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.money import Money
from kernel.refusal import NotFound
from orders import services as orders

#: What a scripted person starts with: band A, so that an ordinary order is not refused.
SANDBOX_SCORE = 720
WALLET = "wallet"
SANDBOX = "sandbox"
INSTRUMENTS_MAX = 10
NAME_MAX = 20


@dataclass(frozen=True, slots=True)
class Script:
    """How a sandbox person's bank account behaves."""

    behaviour: Behaviour
    until: datetime | None = None
    balance_minor: int | None = None


@transaction.atomic
def add_instrument(person: Person, channel: str, token: str, label: str, *, name: str = "", at: datetime) -> Instrument:
    """One more place to take money from, tried after those already there; an unplanned debt is planned for it.

    A wallet is empty when it is opened, and what comes into it its person pays with by themselves. Whoever names the
    same place again, because the answer was lost, has named it once.
    """
    last = person.instruments.aggregate(last=Max("priority"))["last"] or 0
    named = Instrument(
        realm_id=person.realm_id,
        person=person,
        channel=channel,
        token=token,
        label=label,
        name=name,
        priority=last + 1,
        created_at=at,
    )
    try:
        with transaction.atomic():
            named.save(force_insert=True)
    except IntegrityError:
        known = person.instruments.filter(channel=channel, token=token, state=Instrument.State.ACTIVE).first()
        if known is None:
            raise
        return known
    if channel != WALLET:
        plan_from(named, at=at)
    return named


def add_bank_account(person: Person, script: Script, name: str = "", *, by: Actor, at: datetime) -> Instrument:
    """The person names one more account at the sandbox bank, which behaves as they say: for made-up money only.

    Raises:
        NotFound: they have left.
        TooManyInstruments: they have as many as there may be.
        NameInvalid: it has no such name.
    """
    token = f"{person.realm_id}:{person.id.hex}:{uuid7().hex[-20:]}"
    name, label = _name(name), f"{SANDBOX_CARD} {int(token[-12:], 16) % 10_000:04}"
    # The bank commits on its own: an account that nobody names is never charged.
    bank.open_account(token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    with transaction.atomic():
        Person.objects.staying(person.id)
        if person.instruments.exclude(state=Instrument.State.REMOVED).count() >= INSTRUMENTS_MAX:
            raise TooManyInstruments
        instrument = add_instrument(person, SANDBOX, token, label, name=name, at=at)
        _note(instrument, InstrumentChange.Verb.ADDED, by=by, at=at, behaviour=script.behaviour.value)
    return instrument


@transaction.atomic
def put_instrument(person_id: UUID, instrument_id: UUID, place: int, *, by: Actor, at: datetime) -> None:
    """The person wants it tried at this place, the first being 0; what is planned follows.

    Raises:
        NotFound: they have no such instrument.
    """
    rows = _locked(person_id)
    mine = _of(rows, instrument_id)
    order = [row for row in rows if row is not mine]
    order.insert(min(max(place, 0), len(order)), mine)
    if order == rows:
        return
    for priority, row in enumerate(order, start=1):
        row.priority = priority
    Instrument.objects.bulk_update(order, ["priority"])
    _note(mine, InstrumentChange.Verb.PUT, by=by, at=at, place=order.index(mine))
    follow_instruments(person_id, at=at)


@transaction.atomic
def limit_instrument(
    person_id: UUID, instrument_id: UUID, most: Money | None, a_day: Money | None, *, by: Actor, at: datetime
) -> None:
    """From now on no more than this is taken from it at once, or on one day, but by the person themselves.

    What nothing was planned for and now fits is taken from it, in waking hours; what fits no more goes elsewhere.

    Raises:
        NotFound: they have no such instrument.
        LimitInvalid: a limit is nothing, or in two currencies.
    """
    given = [limit for limit in (most, a_day) if limit is not None]
    if any(limit.minor <= 0 for limit in given) or len({limit.currency for limit in given}) > 1:
        raise LimitInvalid
    row = _of(_locked(person_id), instrument_id)
    before = row.limits
    row.most_minor, row.daily_minor = (limit.minor if limit else None for limit in (most, a_day))
    row.limits_currency = given[0].currency if given else row.limits_currency
    if row.limits == before:
        return
    row.save(update_fields=["most_minor", "daily_minor", "limits_currency"])
    _note(row, InstrumentChange.Verb.LIMITED, by=by, at=at, **asdict(row.limits))
    follow_instruments(person_id, at=at)
    if before and row.state == Instrument.State.ACTIVE:
        plan_from(row, before=before, at=at)


@transaction.atomic
def remove_instrument(person_id: UUID, instrument_id: UUID, *, by: Actor, at: datetime) -> None:
    """Nothing is taken from it any more; what was planned from it is taken from the next. Twice is once.

    Whoever takes from it holds its row from before the deduction is written down: one of the two comes first.

    Raises:
        NotFound: they have no such instrument.
        WalletStays: it is the wallet.
        InstrumentInUse: a deduction from it is under way.
        InstrumentNeeded: something is owed or in use, and there is nothing else.
    """
    row = Instrument.objects.select_for_update().filter(person_id=person_id, pk=instrument_id).first()
    if row is None:
        raise NotFound
    if row.state == Instrument.State.REMOVED:
        return
    if row.channel == WALLET:
        raise WalletStays
    if row.deductions.filter(state__in=Deduction.LIVE).exists():
        raise InstrumentInUse(retry_after=5)
    others = Instrument.objects.filter(person_id=person_id, state=Instrument.State.ACTIVE).exclude(pk=row.pk)
    if row.state == Instrument.State.ACTIVE and not others.exists() and purse.leans_on_something(person_id):
        raise InstrumentNeeded
    row.state = Instrument.State.REMOVED
    row.save(update_fields=["state"])
    _note(row, InstrumentChange.Verb.REMOVED, by=by, at=at)
    follow_instruments(person_id, at=at)


@transaction.atomic
def open_wallet(person: Person, *, at: datetime) -> Wallet:
    """A wallet for stored value, and the instrument that takes from it. Twice is once."""
    wallet, made = Wallet.objects.get_or_create(person=person, defaults={"realm_id": person.realm_id})
    if made:
        add_instrument(person, WALLET, str(person.id), WALLET_BALANCE, at=at)
    return wallet


@transaction.atomic
def sign_paying_from(
    agreement_id: UUID, person: Person, instrument_id: UUID | None, *, by: Actor, at: datetime, shown: str = ""
) -> credit.Signing:
    """The person opens a service; what they chose to pay from is tried first: all of it, or nothing.

    Who has nothing to pay from has a wallet from then on, as their page says before they agree.

    Raises:
        NotFound, AgreementState, AlreadyOpened, TermsChanged: as credit.sign_agreement says.
    """
    if not person.instruments.filter(state=Instrument.State.ACTIVE).exists():
        open_wallet(person, at=at)
    if instrument_id is not None:  # locked before what signing locks, as everywhere
        _of(_locked(person.id), instrument_id)
        orders.lock_planned_of(person.id)
    signing = credit.sign_agreement(agreement_id, person.id, by=by, at=at, shown=shown)
    if instrument_id is not None and signing.decision.approved:
        put_instrument(person.id, instrument_id, 0, by=by, at=at)
    return signing


@transaction.atomic
def script_person(name: str, script: Script, *, realm_id: int, by: Actor, at: datetime) -> Person:
    """A sandbox person who behaves as told: verified, with credit, and an account at the sandbox bank."""
    person = accounts.make_sandbox_person(name, realm_id=realm_id, by=by, at=at)
    credit.open_profile(person, score=SANDBOX_SCORE, at=at)
    instrument = add_instrument(person, SANDBOX, f"{realm_id}:{person.id.hex}", SANDBOX_CARD, at=at)
    # The bank commits on its own: an account whose person was rolled back is never charged.
    bank.open_account(instrument.token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    return person


def _locked(person_id: UUID) -> list[Instrument]:
    """What the person pays from, as they see it, and nobody else changes it meanwhile."""
    mine = Instrument.objects.filter(person_id=person_id).exclude(state=Instrument.State.REMOVED)
    locked = mine.select_for_update(no_key=True).order_by("pk")
    return sorted(locked, key=lambda row: (row.state != Instrument.State.ACTIVE, row.priority, row.id))


def _of(rows: Sequence[Instrument], instrument_id: UUID) -> Instrument:
    found = next((row for row in rows if row.id == instrument_id), None)
    if found is None:
        raise NotFound
    return found


def _name(text: str) -> str:
    """What the person calls it, in one line.

    Raises:
        NameInvalid: it is too long, or cannot be shown.
    """
    name = " ".join(text.split())
    if len(name) > NAME_MAX or not name.isprintable():
        raise NameInvalid
    return name


def _note(row: Instrument, verb: str, *, by: Actor, at: datetime, **data: Any) -> None:
    InstrumentChange.objects.create(instrument=row, person_id=row.person_id, verb=verb, data=data, by=str(by), at=at)
