"""Somebody wants it paid now: the person, or the merchant on their behalf."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from billing import rules
from billing.models import Deduction
from billing.refusals import AmountChanged, TooOften
from billing.services import deduct
from kernel.actor import Actor
from kernel.money import Money, totals
from orders.models import Order


def pay_now(
    order_id: UUID, *, amount_minor: int | None = None, instrument_id: UUID | None = None, by: Actor, at: datetime
) -> list[Deduction]:
    """The person pays what the order owes, or a part of it. A second click meets the first one's claim.

    Returns the deductions that were made; each one's state says how it ended.
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
    return _charged(made, by=by, at=at)


def pay_all(
    person_id: UUID,
    *,
    instrument_id: UUID | None = None,
    expected: Collection[Money] | None = None,
    by: Actor,
    at: datetime,
) -> list[Deduction]:
    """The person pays everything they owe, over all orders and merchants, as one debit.

    What is being collected at the moment is left alone, and so is what stands still, which they may be in dispute
    about. `expected` is the sum of each currency that they agreed to. Returns the deductions that were made.

    Raises:
        NoInstrument: there is nothing to take it from.
        AmountInvalid: nothing is owed.
        AmountChanged: it comes to another sum than they agreed to.
    """
    with transaction.atomic():
        made = deduct.prepare_for_person(person_id, instrument_id=instrument_id, by=by, at=at)
        if expected is not None and set(expected) != set(totals(row.amount for row in made)):
            raise AmountChanged
    return _charged(made, by=by, at=at)


def collect_now(order_id: UUID, *, by: Actor, at: datetime) -> list[Deduction]:
    """The merchant asks to try now, beside the platform's own plan, which stays as it is.

    Raises:
        TooOften: it asked often enough today.
    """
    with transaction.atomic():
        Order.objects.locked(order_id)
        asked = Deduction.objects.filter(
            lines__order_id=order_id, purpose=Deduction.Purpose.COLLECT, prepared_at__gt=at - timedelta(days=1)
        )
        if asked.distinct().count() >= rules.COLLECTS_A_DAY:
            raise TooOften(retry_after=3600)
        made = deduct.prepare_for_order(
            order_id, purpose=Deduction.Purpose.COLLECT, amount_minor=None, instrument_id=None, by=by, at=at
        )
    return _charged(made, by=by, at=at)


def _charged(made: list[Deduction], *, by: Actor, at: datetime) -> list[Deduction]:
    deduct.charge(made, by=by, at=at)
    return list(Deduction.objects.filter(pk__in=[row.id for row in made]))
