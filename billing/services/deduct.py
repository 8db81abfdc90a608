"""Collecting what is due: claimed in one transaction, charged in none, settled in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing import channels, queries
from billing.channels import Charge
from billing.models import Deduction, DeductionLine, Instrument
from billing.refusals import AmountInvalid, NoInstrument
from billing.rules import SEND_LEASE
from billing.services.settle import Report, settle_all
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from orders import services as orders
from orders.models import Obligation

SWEEP = Actor.system("deduct")


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be taken for one locked obligation, and from where."""

    obligation: Obligation
    instrument: Instrument
    amount: Money


def deduct_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Take what is due now. Returns how many obligations were seen to; fewer than `limit` means none are left."""
    prepared, seen = prepare_due(realm_id, at=at, limit=limit)
    charge(prepared, by=SWEEP, at=at)
    return seen


@transaction.atomic
def prepare_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Deduction], int]:
    """Claim due obligations and write the deductions for them, sent from the moment this commits.

    An obligation whose person has nothing to take from waits until they act.
    """
    due = orders.lock_due(realm_id, at=at, limit=limit)
    usable = queries.instruments_of(row.person_id for row in due)
    wants = [Want(row, usable[row.person_id][0], row.owed) for row in due if row.person_id in usable]
    prepared = prepare(wants, purpose=Deduction.Purpose.PLANNED, by=SWEEP, at=at)
    stuck = [row for row in due if row.person_id not in usable]
    failure = {"code": "no_instrument", "class": "hard", "at": at.isoformat()}
    orders.release([orders.Release(row.id, failure, plan=[]) for row in stuck])
    return prepared, len(due)


def prepare(wants: Sequence[Want], *, purpose: str, by: Actor, at: datetime) -> list[Deduction]:
    """Deductions for locked obligations: written with their numbers before anything leaves the house."""
    deductions, lines = [], []
    for want in wants:
        deduction = Deduction(
            realm_id=want.obligation.realm_id,
            person_id=want.obligation.person_id,
            instrument=want.instrument,
            channel=want.instrument.channel,
            purpose=purpose,
            currency=want.amount.currency,
            amount_minor=want.amount.minor,
            prepared_at=at,
        )
        deductions.append(deduction)
        lines.append(
            DeductionLine(
                deduction=deduction,
                obligation=want.obligation,
                order_id=want.obligation.order_id,
                merchant_id=want.obligation.merchant_id,
                amount_minor=want.amount.minor,
                attempt=want.obligation.attempts + 1,
            )
        )
    if not deductions:
        return []
    record_all(deductions, "prepared", by=by, at=at)
    DeductionLine.objects.bulk_create(lines)
    pairs = ((want.obligation, deduction.id) for want, deduction in zip(wants, deductions, strict=True))
    orders.claim(pairs, planned=purpose == Deduction.Purpose.PLANNED)
    for deduction in deductions:
        deduction.send(at=at, ask_at=at + SEND_LEASE)
    record_all(deductions, "sent", by=by, at=at)
    return deductions


def charge(deductions: Sequence[Deduction], *, by: Actor, at: datetime) -> None:
    """Ask the channels for the money of deductions already written down, and settle what they answer.

    What is not sent in half its lease is not sent at all: others may soon take it for lost, and ask.
    """
    charges = ((row.id, row.channel, Charge(row.number, row.instrument.token, row.amount, at)) for row in deductions)
    reports = [Report(key, answer, "sync") for key, answer in channels.charge_all(charges, within=SEND_LEASE / 2)]
    settle_all(reports, by=by, at=at)


@transaction.atomic
def prepare_for_order(
    order_id: UUID, *, purpose: str, amount_minor: int | None, instrument_id: UUID | None, by: Actor, at: datetime
) -> list[Deduction]:
    """Claim what one order owes, or a part of it, for somebody who wants it paid now.

    Raises:
        NotFound, OrderState, DeductionInFlight: as orders.lock_owed says.
        NoInstrument: there is nothing to take it from.
        AmountInvalid: more than is owed, or nothing.
    """
    order, owed = orders.lock_owed(order_id)
    instruments = queries.instruments_of([order.person_id]).get(order.person_id, [])
    chosen = [i for i in instruments if instrument_id is None or i.id == instrument_id]
    return prepare(_wants(owed, chosen, amount_minor), purpose=purpose, by=by, at=at)


def _wants(owed: Sequence[Obligation], chosen: Sequence[Instrument], amount_minor: int | None) -> list[Want]:
    """The amount spread over what is owed, the oldest first."""
    if not chosen:
        raise NoInstrument
    whole = sum(row.owed.minor for row in owed)
    left = whole if amount_minor is None else amount_minor
    if not 0 < left <= whole:
        raise AmountInvalid(f"{whole} is owed.")
    wants = []
    for row in owed:
        part = min(left, row.owed.minor)
        left -= part
        if part:
            wants.append(Want(row, chosen[0], Money(part, row.currency)))
    return wants
