"""Somebody wants it paid now: the person, or the merchant on their behalf."""

from collections.abc import Callable, Collection
from datetime import datetime
from math import ceil
from uuid import UUID

from django.db import transaction

from billing import queries
from billing.models import Deduction
from billing.refusals import AmountChanged, OrderPaused, TooOften
from billing.services import deduct
from kernel.actor import Actor
from kernel.money import Money, totals
from orders.models import Order


def pay_now(
    order_id: UUID,
    *,
    amount_minor: int | None = None,
    instrument_id: UUID | None = None,
    by: Actor,
    at: datetime,
    begun: Callable[[], None] | None = None,
) -> list[Deduction]:
    """The person pays what the order owes, or a part of it. A second click meets the first one's claim.

    Returns the deductions that were made; each one's state says how it ended. `begun` is called in the transaction in
    which they are written down, before anything is sent.
    """
    with transaction.atomic():
        made = deduct.prepare_for_order(
            order_id,
            purpose=Deduction.Purpose.PAY_NOW,
            amount_minor=amount_minor,
            instrument_id=instrument_id,
            by=by,
            at=at,
        )
        _say(begun)
    return _charged(made, by=by, at=at)


def pay_all(
    person_id: UUID,
    *,
    order_ids: Collection[UUID] | None = None,
    instrument_id: UUID | None = None,
    expected: Collection[Money] | None = None,
    by: Actor,
    at: datetime,
) -> list[Deduction]:
    """The person pays everything they owe, or these orders, whoever the merchants are, as one debit.

    What is being collected at the moment is left alone, and so is what stands still, which they may be in dispute
    about. `expected` is the sum of each currency that they agreed to. Returns the deductions that were made.

    Raises:
        NoInstrument: there is nothing to take it from.
        AmountInvalid: nothing is owed.
        AmountChanged: it comes to another sum than they agreed to.
    """
    with transaction.atomic():
        made = deduct.prepare_for_person(person_id, order_ids=order_ids, instrument_id=instrument_id, by=by, at=at)
        if expected is not None and set(expected) != set(totals(row.amount for row in made)):
            raise AmountChanged
    return _charged(made, by=by, at=at)


def collect_now(
    order_id: UUID, *, note: str = "", by: Actor, at: datetime, begun: Callable[[], None] | None = None
) -> list[Deduction]:
    """The merchant or a colleague asks to try now, beside the platform's own plan, which stays as it is. For `begun`
    see pay_now.

    Raises:
        OrderPaused: its clock stands still; only the person may pay it meanwhile.
        AboveLimits: the person's own limits forbid it today.
        TooOften: it was asked for often enough today.
    """
    with transaction.atomic():
        order = Order.objects.locked(order_id)
        if order.pauses.filter(ended_at__isnull=True).exists():
            raise OrderPaused
        if again := queries.collects_again(order_id, at=at):
            raise TooOften(retry_after=ceil((again - at).total_seconds()))
        order.record("collect_asked", by=by, at=at, note=note)
        made = deduct.prepare_for_order(
            order_id, purpose=Deduction.Purpose.COLLECT, amount_minor=None, instrument_id=None, by=by, at=at
        )
        _say(begun)
    return _charged(made, by=by, at=at)


def _say(begun: Callable[[], None] | None) -> None:
    if begun is not None:
        begun()


def _charged(made: list[Deduction], *, by: Actor, at: datetime) -> list[Deduction]:
    deduct.charge(made, by=by, at=at)
    return list(Deduction.objects.filter(pk__in=[row.id for row in made]))
