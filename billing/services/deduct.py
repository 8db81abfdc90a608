"""Deductions: claim what is due in one transaction, charge outside any, settle the answers in another."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing import channels, instrument_queries, queries
from billing.channels import ChargeRequest
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import FailureClass
from billing.refusals import AboveLimits, AmountInvalid, NoInstrument
from billing.rules import DEDUCTION_LINES_MAX, SEND_LEASE
from billing.services import notices, outage
from billing.services.attempt_plans import DeductionRequest, sort_due
from billing.services.deduction_outcomes import DeductionReport, settle_all
from kernel.actor import Actor
from kernel.bulk_writes import insert_all
from kernel.lifecycle import record_all
from kernel.money import Money, sum_by_currency
from kernel.sweeps import Sweep, process_bisecting, raise_last, skipped_keys
from orders import services as orders
from orders.models import Obligation, Plan

log = structlog.get_logger(__name__)
ACTOR = Actor.system("deduct")


def deduct_due(realm_id: int, *, at: datetime, limit: int = 100) -> int:
    """Deduct what is due now. Returns how many obligations were processed; fewer than `limit` means none are left.

    Raises:
        Exception: the last error of a person whose deductions fail even when prepared alone; they are still due.
    """
    failures = outage.pause_due(realm_id, at=at, limit=limit)
    prepared, seen, errors = _prepare_isolating_errors(realm_id, at=at, limit=limit)
    charge(prepared, by=ACTOR, at=at)
    raise_last([*failures, *errors], batch_size=seen)
    return seen


def _prepare_isolating_errors(
    realm_id: int, *, at: datetime, limit: int
) -> tuple[list[Deduction], int, list[Exception]]:
    """Prepare all that is due in one transaction; if that fails, of as many people as possible.

    People who failed in this run are left out of the next batches, however many obligations of theirs are due.
    """
    failed_people = [UUID(key) for key in skipped_keys("not_prepared")]
    try:
        if not failed_people:
            return *prepare_due(realm_id, at=at, limit=limit), []
    except SoftTimeLimitExceeded:
        raise
    except Exception as failed:  # noqa: BLE001  logged in full below, for the people it fails on
        log.info("not_prepared_together", realm=realm_id, because=type(failed).__name__)
    people, seen = orders.people_due(realm_id, at=at, limit=limit, excluded=failed_people)
    prepared = list[Deduction]()
    failures = process_bisecting(
        people, lambda some: prepared.extend(_prepare_people(realm_id, some, at=at)), event="not_prepared"
    )
    return prepared, seen, failures


@transaction.atomic
def prepare_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Deduction], int]:
    """Claim due obligations and write their deductions, which count as sent once this commits.

    What one person owes on one instrument becomes one deduction. A retry that quiet hours or a cap forbid is
    postponed; an obligation whose person has no usable instrument waits until they act.
    """
    rows, seen = orders.lock_due(realm_id, at=at, limit=limit)
    return _prepare_obligations(rows, at=at), seen


@transaction.atomic
def _prepare_people(realm_id: int, people: Sequence[UUID], *, at: datetime) -> list[Deduction]:
    """The same for some people."""
    return _prepare_obligations(orders.lock_due_of(people, realm_id, at=at), at=at)


def _prepare_obligations(rows: Sequence[Obligation], *, at: datetime) -> list[Deduction]:
    due = sort_due(rows, at=at)
    orders.replace_plans(due.rerouted, why=Plan.Why.OTHER_INSTRUMENT, at=at)
    orders.replace_plans(due.postponed, why=Plan.Why.PUT_OFF, at=at)
    _release_uncollectable(due.without_instrument, "no_instrument", FailureClass.HARD, at=at)
    _release_uncollectable(due.above_limits, "above_limits", FailureClass.SOFT, at=at)
    return create_deductions(due.requests, purpose=Deduction.Purpose.PLANNED, by=ACTOR, at=at)


def _release_uncollectable(rows: Sequence[Obligation], code: str, failure_class: FailureClass, *, at: datetime) -> None:
    """Clear the plans of obligations that no instrument can pay, and notify their people."""
    failure = {"code": code, "class": failure_class.value, "at": at.isoformat()}
    orders.release_obligations(
        [orders.Release(row.id, failure, plan=[]) for row in rows], why=Plan.Why.NO_INSTRUMENT, at=at
    )
    notices.notify_uncollectable(rows, code, at=at)


def create_deductions(
    requests: Sequence[DeductionRequest], *, purpose: str, by: Actor, at: datetime
) -> list[Deduction]:
    """Write deductions for locked obligations, one for each person and instrument, the oldest debt first.

    They are stored with their numbers before any channel is called.

    Raises:
        NoInstrument: an instrument was removed concurrently.
    """
    by_debit: dict[Any, list[DeductionRequest]] = {}
    for request in sorted(requests, key=lambda request: (request.obligation.due_at, request.obligation.id)):
        by_debit.setdefault(request.debit_key, []).append(request)
    groups = [
        group[n : n + DEDUCTION_LINES_MAX]
        for group in by_debit.values()
        for n in range(0, len(group), DEDUCTION_LINES_MAX)
    ]
    if not groups:
        return []
    deductions = [_build_deduction(group, purpose=purpose, at=at) for group in groups]
    if not instrument_queries.lock_instruments({row.instrument_id for row in deductions}):
        raise NoInstrument
    record_all(deductions, "prepared", by=by, at=at)
    items = [(d, request) for d, group in zip(deductions, groups, strict=True) for request in group]
    insert_all([_build_line(deduction, request) for deduction, request in items])
    claimed = [(request.obligation, deduction.id) for deduction, request in items]
    orders.claim_obligations(claimed, planned=purpose == Deduction.Purpose.PLANNED)
    for deduction in deductions:
        deduction.send(at=at, ask_at=at + SEND_LEASE)
    record_all(deductions, "sent", by=by, at=at)
    return deductions


def charge(deductions: Sequence[Deduction], *, by: Actor, at: datetime) -> None:
    """Send stored deductions to their channels and settle the answers.

    What is not sent within half its lease is not sent at all: once the lease is over it is polled as unknown.
    """
    charges = (
        (row.id, row.channel, ChargeRequest(row.number, row.instrument.token, row.amount, at)) for row in deductions
    )
    answers = channels.charge_all(charges, within=SEND_LEASE / 2)
    settle_all([DeductionReport(key, answer, "sync") for key, answer in answers], by=by, at=at)


@transaction.atomic
def prepare_for_order(
    order_id: UUID, *, purpose: str, amount_minor: int | None, instrument_id: UUID | None, by: Actor, at: datetime
) -> list[Deduction]:
    """Claim what one order owes, or a part of it, to be paid now.

    Raises:
        NotFound, OrderState, DeductionInFlight, WrittenOff: as orders.lock_owed says.
        NoInstrument: there is no usable instrument.
        AboveLimits: it is not the person who pays, and their spending limits do not allow it today.
        AmountInvalid: more than is owed, or nothing.
        PaidByHand, PlanAgreed, NotDueYet, DayChosen: as orders.collectable_obligations says.
    """
    is_by_person = purpose == Deduction.Purpose.PAY_NOW
    order, owed = orders.lock_owed(order_id, include_written_off=is_by_person)
    if purpose == Deduction.Purpose.COLLECT:
        owed = orders.collectable_obligations(order, owed, at=at)
        orders.take_person_lock(order.person_id)  # nobody else uses up their spending limit for the day meanwhile
    requested = None if is_by_person else Money(sum(row.owed.minor for row in owed), order.currency)
    requests = _build_requests(owed, _choose_instrument(order.person_id, instrument_id, requested, at=at), amount_minor)
    return create_deductions(requests, purpose=purpose, by=by, at=at)


@transaction.atomic
def prepare_for_person(
    person_id: UUID,
    *,
    order_ids: Collection[UUID] | None = None,
    instrument_id: UUID | None,
    by: Actor,
    at: datetime,
) -> list[Deduction]:
    """Claim everything a person owes, or what these orders owe, to be paid now. What is in flight is left out.

    Raises:
        NoInstrument: there is no usable instrument.
        AmountInvalid: nothing is owed.
    """
    owed = orders.lock_owed_by(person_id, order_ids)
    requests = _build_requests(owed, _choose_instrument(person_id, instrument_id, None, at=at), None)
    return create_deductions(requests, purpose=Deduction.Purpose.PAY_NOW, by=by, at=at)


def _choose_instrument(
    person_id: UUID, instrument_id: UUID | None, requested: Money | None, *, at: datetime
) -> Instrument:
    """The chosen instrument, or the first. With `requested` only those whose limits allow that amount today count."""
    usable = queries.instruments_of([person_id]).get(person_id, [])
    chosen = [i for i in usable if instrument_id in (None, i.id)]
    if not chosen:
        raise NoInstrument
    if requested is None:
        return chosen[0]
    zone = Person.objects.values_list("zone", flat=True).get(pk=person_id)
    today = instrument_queries.taken_today(chosen, {person_id: zone}, at=at)
    fits = [i for i in chosen if i.limits.allows(requested, today=today.get(i.id, 0))]
    if not fits:
        raise AboveLimits
    return fits[0]


def _build_requests(
    owed: Sequence[Obligation], instrument: Instrument, amount_minor: int | None
) -> list[DeductionRequest]:
    """Spread the amount over what is owed, the oldest first."""
    total = sum(row.owed.minor for row in owed)
    left = total if amount_minor is None else amount_minor
    if not 0 < left <= total:
        sums = " + ".join(map(str, sum_by_currency(row.owed for row in owed)))
        raise AmountInvalid(format_lazy(_("{owed} is owed."), owed=sums or "0"))
    requests = []
    for row in owed:
        part = min(left, row.owed.minor)
        left -= part
        if part:
            requests.append(DeductionRequest(row, instrument, Money(part, row.currency)))
    return requests


def _build_deduction(group: Sequence[DeductionRequest], *, purpose: str, at: datetime) -> Deduction:
    first = group[0]
    counted = next((request for request in group if request.reason not in queries.UNCAPPED_REASONS), first)
    return Deduction(
        realm_id=first.obligation.realm_id,
        person_id=first.obligation.person_id,
        instrument=first.instrument,
        channel=first.instrument.channel,
        purpose=purpose,
        reason=counted.reason,
        currency=first.amount.currency,
        amount_minor=sum(request.amount.minor for request in group),
        prepared_at=at,
    )


def _build_line(deduction: Deduction, request: DeductionRequest) -> DeductionLine:
    return DeductionLine(
        deduction=deduction,
        obligation=request.obligation,
        order_id=request.obligation.order_id,
        merchant_id=request.obligation.merchant_id,
        amount_minor=request.amount.minor,
        attempt=request.obligation.attempts + 1,
        planned=request.attempt,
    )


SWEEP = Sweep(
    name="deduct",
    process_batch=deduct_due,
    batch_size=500,
    first_due_sql="SELECT min(collect_at) FROM orders_obligation WHERE realm_id = %(realm)s AND collect_at IS NOT NULL",
    model=Obligation,
    due_column="collect_at",
)
