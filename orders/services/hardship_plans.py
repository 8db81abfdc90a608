"""Hardship plans: split a debt into instalments with due dates of their own. The total does not change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Person
from accounts.notice_rules import Phrase
from credit.usage import apply_deltas
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money, sum_by_currency
from kernel.refusal import NotFound
from orders import queries, rules
from orders.models import Concern, Obligation, Order, Plan
from orders.refusals import ConcernOpen, DebtChanged, NothingToReschedule, PlanUnavailable
from orders.rules import PlanOffer
from orders.services.claims import record_plans, take_person_lock
from orders.services.concerns import close_concern, lock_open_concern, notify_person, validate_text
from orders.services.events import order_event, publish_events
from orders.services.promises import delta_for

#: How a plan granted without review is described to the person.
IN_PARTS = {"zh-hans": "分 {parts} 期，每 {days} 天一期", "en": "{parts} instalments, {days} days apart"}
AT_ONCE = {"zh-hans": "{days} 天后一次付清", "en": "all of it in {days} days"}


@dataclass(frozen=True, slots=True)
class Instalment:
    """The part of one obligation that falls into one instalment."""

    row: Obligation
    minor: int
    due_at: datetime


@transaction.atomic
def choose_plan(
    person_id: UUID, order_id: UUID | None, offer: PlanOffer, *, expected: Sequence[Money], by: Actor, at: datetime
) -> Concern:
    """The person chooses one of the offered plans, for one order or everything they owe. It takes effect at once.

    Raises:
        NotFound: there is no such person, or order of theirs.
        NothingToReschedule: everything owed is in flight, paused, or on a plan already.
        DebtChanged: the sums are not the `expected` ones that the person saw.
        PlanUnavailable: the policy does not offer this plan.
        ConcernOpen: the person has requested another plan, which is not decided yet.
    """
    person = _get_person(person_id)
    rows = _lock_plannable(person_id, order_id)
    take_person_lock(person_id)  # a plan that they choose for another order at this moment counts
    rows = [row for row in rows if row.order.eased_at is None]
    sums = sum_by_currency(row.owed for row in rows)
    if not rows:
        raise NothingToReschedule
    if set(sums) != set(expected):
        raise DebtChanged
    if queries.open_plan_request(person_id):
        raise ConcernOpen
    policy = queries.hardship_terms_at(at)
    if offer not in rules.plan_offers(policy, sums) or queries.has_recent_plan(person_id, policy, at=at):
        raise PlanUnavailable
    concern = Concern(
        realm_id=person.realm_id,
        person=person,
        order_id=order_id,
        kind=Concern.Kind.HARDSHIP,
        opened_at=at,
        heard_at=at,
    )
    concern.record("opened", by=by, at=at)
    concern.plan = _apply_plan(rows, offer, person, concern, by=by, at=at)
    concern.decide(Concern.Outcome.GRANTED, at=at)
    concern.record("decided", by=by, at=at, outcome=Concern.Outcome.GRANTED)
    message = Phrase(
        IN_PARTS if offer.parts > 1 else AT_ONCE, {"parts": str(offer.parts), "days": str(offer.every_days)}
    )
    notify_person(concern, "plan_granted", concern.id, message, at=at)
    return concern


@transaction.atomic
def grant_plan(concern_id: UUID, offer: PlanOffer, answer: str, *, by: Actor, at: datetime) -> Concern:
    """Staff grant the requested plan or another one, beyond the policy.

    Raises:
        NotFound: there is no such request.
        ConcernClosed: it is closed.
        Invalid: the answer is empty or too long.
        PlanUnavailable: the plan is longer than anybody may grant.
        NothingToReschedule: nothing owed can be put on a plan.
    """
    validate_text(answer)
    if not (1 <= offer.parts <= rules.STAFF_PARTS_MAX and offer.every_days >= 1):
        raise PlanUnavailable
    if offer.parts * offer.every_days > rules.STAFF_DAYS_MAX:
        raise PlanUnavailable
    concern = lock_open_concern(concern_id, Concern.Kind.HARDSHIP)
    person = _get_person(concern.person_id)
    rows = _lock_plannable(person.id, concern.order_id)
    if not rows:
        raise NothingToReschedule
    concern.plan = _apply_plan(rows, offer, person, concern, by=by, at=at)
    close_concern(concern, Concern.Outcome.GRANTED, answer, by=by, at=at)
    return concern


@transaction.atomic
def refuse_plan(concern_id: UUID, answer: str, *, by: Actor, at: datetime) -> Concern:
    """Staff refuse a requested plan with an answer. What is owed stays unchanged.

    Raises:
        NotFound: there is no such request.
        ConcernClosed: it is closed.
        Invalid: the answer is empty or too long.
    """
    concern = lock_open_concern(concern_id, Concern.Kind.HARDSHIP)
    close_concern(concern, Concern.Outcome.REFUSED, answer, by=by, at=at)
    return concern


def _get_person(person_id: UUID) -> Person:
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound
    return person


def _lock_plannable(person_id: UUID, order_id: UUID | None) -> list[Obligation]:
    """The person's debts that can be put on a plan, oldest first, locked with their orders.

    Orders with anything in flight, paused or written off are left out.
    """
    owed = queries.owed_obligations(person_id, order_id)
    orders = {order.id: order for order in Order.objects.locked_all(set(owed.values_list("order_id", flat=True)))}
    locked = Obligation.objects.select_for_update(of=("self",), no_key=True).filter(order_id__in=orders)
    rows = list(locked.order_by("pk"))
    for row in rows:
        row.order = orders[row.order_id]
    return queries.plannable_obligations(rows)


def _apply_plan(
    rows: Sequence[Obligation], offer: PlanOffer, person: Person, concern: Concern, *, by: Actor, at: datetime
) -> dict[str, Any]:
    """Reschedule the debts by the plan: nothing is overdue any more, and no late fees accrue.

    Returns the plan as stored in the concern: its terms, and the amounts by due date.
    """
    due_dates = rules.instalment_dates(offer, at, person.zone)
    overdue = [row for row in rows if row.state == Obligation.State.OVERDUE]
    for row in overdue:
        row.clear_overdue()
    record_all(overdue, "started_anew", by=by, at=at, data=[{"concern": concern.id}] * len(overdue))
    instalments: list[Obligation] = []
    for currency in sorted({row.currency for row in rows}):
        instalments += _split_debts([row for row in rows if row.currency == currency], due_dates, by=by, at=at)
    record_plans(instalments, Plan.Why.EASED, at=at)
    orders = sorted({row.order for row in rows}, key=lambda order: order.id)
    deltas = [
        delta_for(
            order,
            overdue_orders=-1 if order.state == Order.State.OVERDUE else 0,
            eased_orders=0 if order.eased_at else 1,
        )
        for order in orders
    ]
    for order in orders:
        order.eased_at = at
        if order.state == Order.State.OVERDUE:
            order.clear_overdue()
    record_all(orders, "eased", by=by, at=at, data=[_event_data(order, offer, concern) for order in orders])
    apply_deltas(deltas, at=at)
    events = [order_event(order, "order.rescheduled", due_at=_last_due(instalments, order)) for order in orders]
    publish_events(events, realm_id=person.realm_id, at=at)
    return {"parts": offer.parts, "every_days": offer.every_days, "due": _amounts_by_due_date(instalments)}


def _amounts_by_due_date(instalments: Sequence[Obligation]) -> list[dict[str, Any]]:
    """The amounts by due date and currency."""
    sums: dict[tuple[datetime, str], int] = {}
    for row in instalments:
        sums[row.due_at, row.currency] = sums.get((row.due_at, row.currency), 0) + row.owed.minor
    return [{"at": at.isoformat(), "minor": minor, "currency": code} for (at, code), minor in sorted(sums.items())]


def _split_debts(
    rows: Sequence[Obligation], due_dates: Sequence[datetime], *, by: Actor, at: datetime
) -> list[Obligation]:
    """Split each debt into its instalments: the existing row becomes the first one, the others are new rows."""
    shares_by_row = rules.allocate_to_parts([row.owed.minor for row in rows], len(due_dates))
    instalments = [
        Instalment(row, minor, day)
        for row, shares in zip(rows, shares_by_row, strict=True)
        for minor, day in zip(shares, due_dates, strict=True)
        if minor
    ]
    kept, new, data = [], [], []
    for row, group in groupby(instalments, key=lambda part: part.row):
        first, *others = group
        data.append({"was": row.due_at, "due_at": first.due_at, "amount": row.paid_minor + first.minor})
        _reschedule(row, row.paid + Money(first.minor, row.currency), first.due_at)
        kept.append(row)
        new += [_build_instalment(row, part) for part in others]
    _assign_sequences(new)
    record_all(kept, "put_off", by=by, at=at, data=data)
    record_all(new, "owed", by=by, at=at)
    return [*kept, *new]


def _reschedule(row: Obligation, amount: Money, due_at: datetime) -> None:
    row.reschedule(amount, due_at=due_at, overdue_from=due_at + row.order.grace)


def _build_instalment(row: Obligation, share: Instalment) -> Obligation:
    """A further instalment of the same debt."""
    instalment = Obligation(
        realm_id=row.realm_id,
        order=row.order,
        merchant_id=row.merchant_id,
        person_id=row.person_id,
        kind=row.kind,
        currency=row.currency,
        amount_minor=share.minor,
    )
    _reschedule(instalment, Money(share.minor, row.currency), share.due_at)
    return instalment


def _assign_sequences(new: Iterable[Obligation]) -> None:
    """Number the new instalments after the existing obligations of their orders."""
    last_sequence: dict[UUID, int] = {}
    for row in new:
        if row.order_id not in last_sequence:
            last_sequence[row.order_id] = max(row.order.obligations.values_list("sequence", flat=True))
        last_sequence[row.order_id] += 1
        row.sequence = last_sequence[row.order_id]


def _event_data(order: Order, offer: PlanOffer, concern: Concern) -> dict[str, Any]:
    return {"concern": concern.id, "parts": offer.parts, "every_days": offer.every_days, "currency": order.currency}


def _last_due(instalments: Sequence[Obligation], order: Order) -> datetime:
    return max(row.due_at for row in instalments if row.order_id == order.id)
