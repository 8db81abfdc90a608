"""Collecting what is due: claimed in one transaction, charged in none, settled in one."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from accounts.models import Person
from billing import channels, purse, queries
from billing.channels import Charge
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import Kind
from billing.refusals import AboveLimits, AmountInvalid, NoInstrument
from billing.rules import LINES_MAX, SEND_LEASE
from billing.services import outage, tell
from billing.services.plan import Want, sort_out
from billing.services.settle import Report, settle_all
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money
from kernel.sweeps import Sweep, by_halves, has_aside, raise_last
from kernel.time_limit import TimeIsUp
from kernel.writes import insert_all
from orders import services as orders
from orders.models import Obligation, Plan

log = structlog.get_logger(__name__)
SWEEP = Actor.system("deduct")


def deduct_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Take what is due now. Returns how many obligations were seen to; fewer than `limit` means none are left.

    Raises:
        Exception: the last of what went wrong with people of whom nothing can be taken even alone; it is still due.
    """
    failures = outage.hold_due(realm_id, at=at, limit=limit)
    prepared, seen, others = _prepared_or_what_can_be(realm_id, at=at, limit=limit)
    charge(prepared, by=SWEEP, at=at)
    raise_last([*failures, *others], seen=seen)
    return seen


def _prepared_or_what_can_be(
    realm_id: int, *, at: datetime, limit: int
) -> tuple[list[Deduction], int, list[Exception]]:
    """All that is due together; where that cannot be, of whom it can be."""
    try:
        if not has_aside("not_prepared"):
            return *prepare_due(realm_id, at=at, limit=limit), []
    except TimeIsUp:
        raise
    except Exception as failed:  # noqa: BLE001  told in full of those that it is true of
        log.info("not_prepared_together", realm=realm_id, because=type(failed).__name__)
    people, seen = orders.people_due(realm_id, at=at, limit=limit)
    prepared = list[Deduction]()
    failures = by_halves(people, lambda some: prepared.extend(_prepare_of(realm_id, some, at=at)), told="not_prepared")
    return prepared, seen, failures


@transaction.atomic
def prepare_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Deduction], int]:
    """Claim due obligations and write the deductions for them, sent from the moment this commits.

    What one person owes on one instrument becomes one debit. A retry that the hour or a cap forbids is put off; an
    obligation whose person has nothing to take from waits until they act.
    """
    rows, seen = orders.lock_due(realm_id, at=at, limit=limit)
    return _prepared(rows, at=at), seen


@transaction.atomic
def _prepare_of(realm_id: int, people: Sequence[UUID], *, at: datetime) -> list[Deduction]:
    """The same, of some people."""
    return _prepared(orders.lock_due_of(people, realm_id, at=at), at=at)


def _prepared(rows: Sequence[Obligation], *, at: datetime) -> list[Deduction]:
    due = sort_out(rows, at=at)
    orders.replan(due.elsewhere, why=Plan.Why.OTHER_INSTRUMENT, at=at)
    orders.replan(due.put_off, why=Plan.Why.PUT_OFF, at=at)
    _give_up(due.stuck, "no_instrument", Kind.HARD, at=at)
    _give_up(due.above, "above_limits", Kind.SOFT, at=at)
    return prepare(due.wants, purpose=Deduction.Purpose.PLANNED, by=SWEEP, at=at)


def _give_up(rows: Sequence[Obligation], code: str, kind: Kind, *, at: datetime) -> None:
    """There is nothing these could be taken from: nothing is planned any more, and their people hear of it."""
    failure = {"code": code, "class": kind.value, "at": at.isoformat()}
    orders.release([orders.Release(row.id, failure, plan=[]) for row in rows], why=Plan.Why.NO_INSTRUMENT, at=at)
    tell.stuck(rows, code, at=at)


def prepare(wants: Sequence[Want], *, purpose: str, by: Actor, at: datetime) -> list[Deduction]:
    """Deductions for locked obligations, one for each person and instrument, the oldest debt first.

    They are written with their numbers before anything leaves the house.

    Raises:
        NoInstrument: an instrument was removed at this very moment.
    """
    together: dict[Any, list[Want]] = {}
    for want in sorted(wants, key=lambda want: (want.obligation.due_at, want.obligation.id)):
        together.setdefault(want.debit, []).append(want)
    groups = [group[n : n + LINES_MAX] for group in together.values() for n in range(0, len(group), LINES_MAX)]
    if not groups:
        return []
    deductions = [_deduction(group, purpose=purpose, at=at) for group in groups]
    if not purse.all_held({row.instrument_id for row in deductions}):
        raise NoInstrument
    record_all(deductions, "prepared", by=by, at=at)
    pairs = [(d, want) for d, group in zip(deductions, groups, strict=True) for want in group]
    insert_all([_line(deduction, want) for deduction, want in pairs])
    claimed = [(want.obligation, deduction.id) for deduction, want in pairs]
    orders.claim(claimed, planned=purpose == Deduction.Purpose.PLANNED)
    for deduction in deductions:
        deduction.send(at=at, ask_at=at + SEND_LEASE)
    record_all(deductions, "sent", by=by, at=at)
    return deductions


def charge(deductions: Sequence[Deduction], *, by: Actor, at: datetime) -> None:
    """Ask the channels for the money of deductions already written down, and settle what they answer.

    What is not sent in half its lease is not sent at all: others may soon take it for lost, and ask.
    """
    charges = ((row.id, row.channel, Charge(row.number, row.instrument.token, row.amount, at)) for row in deductions)
    answers = channels.charge_all(charges, within=SEND_LEASE / 2)
    settle_all([Report(key, answer, "sync") for key, answer in answers], by=by, at=at)


@transaction.atomic
def prepare_for_order(
    order_id: UUID, *, purpose: str, amount_minor: int | None, instrument_id: UUID | None, by: Actor, at: datetime
) -> list[Deduction]:
    """Claim what one order owes, or a part of it, for somebody who wants it paid now.

    Raises:
        NotFound, OrderState, DeductionInFlight, WrittenOff: as orders.lock_owed says.
        NoInstrument: there is nothing to take it from.
        AboveLimits: the person's limits do not let others take it from anything they have today.
        AmountInvalid: more than is owed, or nothing.
        PaidByHand, PlanAgreed, NotDueYet, DayChosen: others may not have it debited now, as orders.collectable says.
    """
    theirs = purpose == Deduction.Purpose.PAY_NOW
    order, owed = orders.lock_owed(order_id, lost=theirs)
    if purpose == Deduction.Purpose.COLLECT:
        owed = orders.collectable(order, owed, at=at)
    asked = None if theirs else Money(sum(row.owed.minor for row in owed), order.currency)
    wants = _wants(owed, _instrument(order.person_id, instrument_id, asked, at=at), amount_minor)
    return prepare(wants, purpose=purpose, by=by, at=at)


@transaction.atomic
def prepare_for_person(
    person_id: UUID,
    *,
    order_ids: Collection[UUID] | None = None,
    instrument_id: UUID | None,
    by: Actor,
    at: datetime,
) -> list[Deduction]:
    """Claim everything a person owes, or of these orders, for them to pay at once. What is in flight is left alone.

    Raises:
        NoInstrument: there is nothing to take it from.
        AmountInvalid: nothing is owed.
    """
    owed = orders.lock_owed_by(person_id, order_ids)
    wants = _wants(owed, _instrument(person_id, instrument_id, None, at=at), None)
    return prepare(wants, purpose=Deduction.Purpose.PAY_NOW, by=by, at=at)


def _instrument(person_id: UUID, instrument_id: UUID | None, asked: Money | None, *, at: datetime) -> Instrument:
    """The one that was chosen, or the first; of those whose limits let `asked` be taken today, where somebody asks."""
    usable = queries.instruments_of([person_id]).get(person_id, [])
    chosen = [i for i in usable if instrument_id in (None, i.id)]
    if not chosen:
        raise NoInstrument
    if asked is None:
        return chosen[0]
    zone = Person.objects.values_list("zone", flat=True).get(pk=person_id)
    today = purse.taken_today(chosen, {person_id: zone}, at=at)
    fits = [i for i in chosen if i.limits.allow(asked, today=today.get(i.id, 0))]
    if not fits:
        raise AboveLimits
    return fits[0]


def _wants(owed: Sequence[Obligation], instrument: Instrument, amount_minor: int | None) -> list[Want]:
    """The amount spread over what is owed, the oldest first."""
    whole = sum(row.owed.minor for row in owed)
    left = whole if amount_minor is None else amount_minor
    if not 0 < left <= whole:
        raise AmountInvalid(f"{whole} is owed.")
    wants = []
    for row in owed:
        part = min(left, row.owed.minor)
        left -= part
        if part:
            wants.append(Want(row, instrument, Money(part, row.currency)))
    return wants


def _deduction(group: Sequence[Want], *, purpose: str, at: datetime) -> Deduction:
    first = group[0]
    counted = next((want for want in group if want.reason not in queries.UNCOUNTED), first)
    return Deduction(
        realm_id=first.obligation.realm_id,
        person_id=first.obligation.person_id,
        instrument=first.instrument,
        channel=first.instrument.channel,
        purpose=purpose,
        reason=counted.reason,
        currency=first.amount.currency,
        amount_minor=sum(want.amount.minor for want in group),
        prepared_at=at,
    )


def _line(deduction: Deduction, want: Want) -> DeductionLine:
    return DeductionLine(
        deduction=deduction,
        obligation=want.obligation,
        order_id=want.obligation.order_id,
        merchant_id=want.obligation.merchant_id,
        amount_minor=want.amount.minor,
        attempt=want.obligation.attempts + 1,
        planned=want.attempt,
    )


DUE = Sweep(
    name="deduct",
    act=deduct_due,
    batch=500,
    first="SELECT min(collect_at) FROM orders_obligation WHERE realm_id = %(realm)s AND collect_at IS NOT NULL",
    work=Obligation,
    column="collect_at",
)
