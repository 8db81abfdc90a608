"""A person's payment instruments: add, order, limit and remove them, and open a wallet."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts import services as accounts
from accounts.models import Person
from billing import instrument_queries
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
from billing.services.attempt_plans import plan_from_instrument, replan_for_instruments
from credit import services as credit
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.money import Money
from kernel.refusal import NotFound
from orders import services as orders

#: Initial credit score of a scripted person: band A, so that an ordinary order is not refused.
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
    """Add an instrument with the lowest priority, and plan unplanned debts from it.

    Nothing is planned from a wallet: it is empty when opened, and its person pays from it themselves. Adding the same
    token again, after a lost answer, returns the existing instrument.
    """
    last = person.instruments.aggregate(last=Max("priority"))["last"] or 0
    instrument = Instrument(
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
            instrument.save(force_insert=True)
    except IntegrityError:
        existing = person.instruments.filter(channel=channel, token=token, state=Instrument.State.ACTIVE).first()
        if existing is None:
            raise
        return existing
    if channel != WALLET:
        plan_from_instrument(instrument, at=at)
    return instrument


def add_bank_account(person: Person, script: Script, name: str = "", *, by: Actor, at: datetime) -> Instrument:
    """Add an account at the sandbox bank that behaves as scripted.

    Raises:
        NotFound: the person has left.
        TooManyInstruments: the person has INSTRUMENTS_MAX already.
        NameInvalid: the name is too long or not printable.
    """
    token = f"{person.realm_id}:{person.id.hex}:{uuid7().hex[-20:]}"
    name, label = _clean_name(name), f"{SANDBOX_CARD} {int(token[-12:], 16) % 10_000:04}"
    # The bank commits on its own: an account without an instrument is never charged.
    bank.open_account(token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    with transaction.atomic():
        instrument = add_instrument(person, SANDBOX, token, label, name=name, at=at)
        Person.objects.locked_active(person.id)  # after their obligations, as everywhere
        if person.instruments.exclude(state=Instrument.State.REMOVED).count() > INSTRUMENTS_MAX:
            raise TooManyInstruments
        _record_change(instrument, InstrumentChange.Verb.ADDED, by=by, at=at, behaviour=script.behaviour.value)
    return instrument


@transaction.atomic
def move_instrument(person_id: UUID, instrument_id: UUID, place: int, *, by: Actor, at: datetime) -> None:
    """Move an instrument to this place in the order of priority, 0 being first, and update planned attempts.

    Raises:
        NotFound: the person has no such instrument.
    """
    rows = _lock_instruments(person_id)
    instrument = _find_instrument(rows, instrument_id)
    order = [row for row in rows if row is not instrument]
    order.insert(min(max(place, 0), len(order)), instrument)
    if order == rows:
        return
    for priority, row in enumerate(order, start=1):
        row.priority = priority
    Instrument.objects.bulk_update(order, ["priority"])
    _record_change(instrument, InstrumentChange.Verb.PUT, by=by, at=at, place=order.index(instrument))
    replan_for_instruments(person_id, at=at)


@transaction.atomic
def set_instrument_limits(
    person_id: UUID, instrument_id: UUID, most: Money | None, a_day: Money | None, *, by: Actor, at: datetime
) -> None:
    """Set spending limits per deduction and per day, which apply to everybody but the person.

    Unplanned debts that now fit are planned from it, outside quiet hours; planned ones that no longer fit move to
    another instrument.

    Raises:
        NotFound: the person has no such instrument.
        LimitInvalid: a limit is not positive, or they are in two currencies.
    """
    given = [limit for limit in (most, a_day) if limit is not None]
    if any(limit.minor <= 0 for limit in given) or len({limit.currency for limit in given}) > 1:
        raise LimitInvalid
    row = _find_instrument(_lock_instruments(person_id), instrument_id)
    old_limits = row.limits
    row.most_minor, row.daily_minor = (limit.minor if limit else None for limit in (most, a_day))
    row.limits_currency = given[0].currency if given else row.limits_currency
    if row.limits == old_limits:
        return
    row.save(update_fields=["most_minor", "daily_minor", "limits_currency"])
    _record_change(row, InstrumentChange.Verb.LIMITED, by=by, at=at, **asdict(row.limits))
    replan_for_instruments(person_id, at=at)
    if old_limits and row.state == Instrument.State.ACTIVE:
        plan_from_instrument(row, old_limits=old_limits, at=at)


@transaction.atomic
def remove_instrument(person_id: UUID, instrument_id: UUID, *, by: Actor, at: datetime) -> None:
    """Remove an instrument; what was planned from it moves to the next one. Idempotent.

    A deduction locks the instrument before it is written, so that a removal and a deduction exclude each other. The
    person's other instruments are locked first, so that the last two are not removed at the same moment.

    Raises:
        NotFound: the person has no such instrument.
        WalletStays: it is the wallet.
        InstrumentInUse: a deduction from it is in flight.
        InstrumentNeeded: something is owed or in use, and there is no other instrument.
    """
    _lock_instruments(person_id)
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
    if row.state == Instrument.State.ACTIVE and not others.exists() and instrument_queries.needs_instrument(person_id):
        raise InstrumentNeeded
    row.state = Instrument.State.REMOVED
    row.save(update_fields=["state"])
    _record_change(row, InstrumentChange.Verb.REMOVED, by=by, at=at)
    replan_for_instruments(person_id, at=at)


@transaction.atomic
def open_wallet(person: Person, *, at: datetime) -> Wallet:
    """Open the person's wallet for stored value, with its instrument. Idempotent."""
    wallet, created = Wallet.objects.get_or_create(person=person, defaults={"realm_id": person.realm_id})
    if created:
        add_instrument(person, WALLET, str(person.id), WALLET_BALANCE, at=at)
    return wallet


@transaction.atomic
def sign_with_instrument(
    agreement_id: UUID, person: Person, instrument_id: UUID | None, *, by: Actor, at: datetime, shown: str = ""
) -> credit.SignResult:
    """Sign an agreement and make the chosen instrument the first one, in one transaction.

    A person without any instrument gets a wallet, as the page says before they agree.

    Raises:
        NotFound, AgreementState, AlreadyOpened, TermsChanged: as credit.sign_agreement says.
    """
    if not person.instruments.filter(state=Instrument.State.ACTIVE).exists():
        open_wallet(person, at=at)
    if instrument_id is not None:  # locked before what signing locks, as everywhere
        _find_instrument(_lock_instruments(person.id), instrument_id)
        orders.lock_planned_of(person.id)
    signing = credit.sign_agreement(agreement_id, person.id, by=by, at=at, seen_fingerprint=shown)
    if instrument_id is not None and signing.decision.approved:
        move_instrument(person.id, instrument_id, 0, by=by, at=at)
    return signing


@transaction.atomic
def create_scripted_person(name: str, script: Script, *, realm_id: int, by: Actor, at: datetime) -> Person:
    """Create a sandbox person: verified, with a credit profile, and a scripted account at the sandbox bank."""
    person = accounts.create_sandbox_person(name, realm_id=realm_id, by=by, at=at)
    credit.open_profile(person, score=SANDBOX_SCORE, at=at)
    instrument = add_instrument(person, SANDBOX, f"{realm_id}:{person.id.hex}", SANDBOX_CARD, at=at)
    # The bank commits on its own: an account whose person was rolled back is never charged.
    bank.open_account(instrument.token, script.behaviour, until=script.until, balance_minor=script.balance_minor)
    return person


def _lock_instruments(person_id: UUID) -> list[Instrument]:
    """Lock the person's instruments that are not removed, in the order the person sees."""
    rows = Instrument.objects.filter(person_id=person_id).exclude(state=Instrument.State.REMOVED)
    locked = rows.select_for_update(no_key=True).order_by("pk")
    return sorted(locked, key=lambda row: (row.state != Instrument.State.ACTIVE, row.priority, row.id))


def _find_instrument(rows: Sequence[Instrument], instrument_id: UUID) -> Instrument:
    found = next((row for row in rows if row.id == instrument_id), None)
    if found is None:
        raise NotFound
    return found


def _clean_name(text: str) -> str:
    """The name in one line, without repeated spaces.

    Raises:
        NameInvalid: it is too long, or not printable.
    """
    name = " ".join(text.split())
    if len(name) > NAME_MAX or not name.isprintable():
        raise NameInvalid
    return name


def _record_change(row: Instrument, verb: str, *, by: Actor, at: datetime, **data: Any) -> None:
    InstrumentChange.objects.create(instrument=row, person_id=row.person_id, verb=verb, data=data, by=str(by), at=at)
