"""Immediate payments: by the person, or collected now on request of the merchant or staff."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from math import ceil
from uuid import UUID

from django.db import transaction

from billing import queries
from billing.models import Deduction
from billing.refusals import AmountChanged, OrderPaused, TooOften
from billing.services import deduct
from kernel.actor import Actor
from kernel.money import Money, sum_by_currency
from orders.models import Order


def pay_now(
    order_id: UUID,
    *,
    amount_minor: int | None = None,
    instrument_id: UUID | None = None,
    by: Actor,
    at: datetime,
    on_started: Callable[[], None] | None = None,
) -> list[Deduction]:
    """The person pays what the order owes, or a part of it. A double click is refused by the first one's claim.

    Returns the deductions, whose state says how each ended. `on_started` is called in the transaction that writes
    them, before anything is sent.
    """
    with transaction.atomic():
        deductions = deduct.prepare_for_order(
            order_id,
            purpose=Deduction.Purpose.PAY_NOW,
            amount_minor=amount_minor,
            instrument_id=instrument_id,
            by=by,
            at=at,
        )
        if on_started is not None:
            on_started()
    return _charge_and_reload(deductions, by=by, at=at)


def pay_all(
    person_id: UUID,
    *,
    order_ids: Collection[UUID] | None = None,
    instrument_id: UUID | None = None,
    expected: Collection[Money] | None = None,
    by: Actor,
    at: datetime,
) -> list[Deduction]:
    """The person pays everything they owe, or these orders, across merchants, as one deduction.

    What is in flight is left out, and so are paused orders, which may be contested. `expected` are the totals by
    currency that the person agreed to. Returns the deductions.

    Raises:
        NoInstrument: there is no usable instrument.
        AmountInvalid: nothing is owed.
        AmountChanged: the totals differ from `expected`.
    """
    with transaction.atomic():
        deductions = deduct.prepare_for_person(
            person_id, order_ids=order_ids, instrument_id=instrument_id, by=by, at=at
        )
        if expected is not None and set(expected) != set(sum_by_currency(row.amount for row in deductions)):
            raise AmountChanged
    return _charge_and_reload(deductions, by=by, at=at)


def collect_now(
    order_id: UUID, *, note: str = "", by: Actor, at: datetime, on_started: Callable[[], None] | None = None
) -> list[Deduction]:
    """Collect an order now on request of the merchant or staff, outside the plan, which stays as it is.

    For `on_started` see pay_now.

    Raises:
        OrderPaused: the order is paused; only the person may pay it.
        AboveLimits: the person's spending limits forbid it today.
        TooOften: the daily number of requests for the order is used up.
    """
    return begin_collection(order_id, note=note, by=by, at=at, on_started=on_started)()


def begin_collection(
    order_id: UUID, *, note: str = "", by: Actor, at: datetime, on_started: Callable[[], None] | None = None
) -> Callable[[], list[Deduction]]:
    """The part of `collect_now` in one transaction. Returns the function that calls the channel, to call after it."""
    with transaction.atomic():
        order = Order.objects.locked(order_id)
        if order.pauses.filter(ended_at__isnull=True).exists():
            raise OrderPaused
        if retry_at := queries.collect_allowed_from(order_id, at=at):
            raise TooOften(retry_after=ceil((retry_at - at).total_seconds()))
        order.record("collect_asked", by=by, at=at, note=note)
        deductions = deduct.prepare_for_order(
            order_id, purpose=Deduction.Purpose.COLLECT, amount_minor=None, instrument_id=None, by=by, at=at
        )
        if on_started is not None:
            on_started()
    return partial(_charge_and_reload, deductions, by=by, at=at)


def _charge_and_reload(deductions: list[Deduction], *, by: Actor, at: datetime) -> list[Deduction]:
    deduct.charge(deductions, by=by, at=at)
    return list(Deduction.objects.filter(pk__in=[row.id for row in deductions]))
