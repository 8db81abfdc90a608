"""Paying is hard: a debt is split into parts with dates of their own. Nothing is added to it, and nothing forgiven."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import Person
from accounts.wording import Phrase
from credit.used import change_profiles
from kernel.actor import Actor
from kernel.lifecycle import record_all
from kernel.money import Money, totals
from kernel.refusal import NotFound
from orders import queries, rules
from orders.models import Concern, Obligation, Order, Plan
from orders.refusals import CannotEase, ConcernOpen, DebtChanged, NothingToEase
from orders.rules import Offer
from orders.services.claims import keep_plans
from orders.services.concerns import close_concern, judge_text, lock_open, tell_person
from orders.services.promise import change_for
from orders.services.tell import news_of, tell

#: How a plan that was granted by itself is told.
AGREED = {"zh-hans": "分 {parts} 期，每 {days} 天一期", "en": "{parts} instalments, {days} days apart"}
AT_ONCE = {"zh-hans": "{days} 天后一次付清", "en": "all of it in {days} days"}


@dataclass(frozen=True, slots=True)
class Part:
    """What of one obligation is due when."""

    row: Obligation
    minor: int
    due_at: datetime


@transaction.atomic
def ease(
    person_id: UUID, order_id: UUID | None, offer: Offer, *, expected: Sequence[Money], by: Actor, at: datetime
) -> Concern:
    """The person chooses one of the plans that are offered, for one order or everything they owe: it counts at once.

    Raises:
        NotFound: there is no such person, or order of theirs.
        NothingToEase: nothing is owed that is not being taken, standing still, or on a plan already.
        DebtChanged: it comes to something else than what they saw.
        CannotEase: the policy does not offer that.
        ConcernOpen: a colleague was asked for another plan, and has not decided.
    """
    person = _person(person_id)
    rows = _lock(person_id, order_id)
    rows = [row for row in rows if row.order.eased_at is None]
    sums = totals(row.owed for row in rows)
    if not rows:
        raise NothingToEase
    if set(sums) != set(expected):
        raise DebtChanged
    if queries.asked_for_ease(person_id):
        raise ConcernOpen
    policy = queries.ease_policy(at)
    if offer not in rules.offers(policy, sums) or queries.eased_lately(person_id, policy, at=at):
        raise CannotEase
    concern = Concern(
        realm_id=person.realm_id,
        person=person,
        order_id=order_id,
        kind=Concern.Kind.HARDSHIP,
        opened_at=at,
        heard_at=at,
    )
    concern.record("opened", by=by, at=at)
    concern.plan = _agree(rows, offer, person, concern, by=by, at=at)
    concern.decide(Concern.Outcome.GRANTED, at=at)
    concern.record("decided", by=by, at=at, outcome=Concern.Outcome.GRANTED)
    said = Phrase(AGREED if offer.parts > 1 else AT_ONCE, {"parts": str(offer.parts), "days": str(offer.every_days)})
    tell_person(concern, "plan_granted", concern.id, said, at=at)
    return concern


@transaction.atomic
def grant_ease(concern_id: UUID, offer: Offer, answer: str, *, by: Actor, at: datetime) -> Concern:
    """A colleague grants what was asked for, or another plan, beyond the policy.

    Raises:
        NotFound: there is no such request.
        ConcernClosed: it is over.
        Invalid: no answer is given to the person, or too much of one.
        CannotEase: nobody may grant a plan that long.
        NothingToEase: nothing is owed that could be split.
    """
    judge_text(answer)
    if not (1 <= offer.parts <= rules.STAFF_PARTS_MAX and offer.every_days >= 1):
        raise CannotEase
    if offer.parts * offer.every_days > rules.STAFF_DAYS_MAX:
        raise CannotEase
    concern = lock_open(concern_id, Concern.Kind.HARDSHIP)
    person = _person(concern.person_id)
    rows = _lock(person.id, concern.order_id)
    if not rows:
        raise NothingToEase
    concern.plan = _agree(rows, offer, person, concern, by=by, at=at)
    close_concern(concern, Concern.Outcome.GRANTED, answer, by=by, at=at)
    return concern


@transaction.atomic
def refuse_ease(concern_id: UUID, answer: str, *, by: Actor, at: datetime) -> Concern:
    """A colleague says no, and why. What is owed stays as it is.

    Raises:
        NotFound: there is no such request.
        ConcernClosed: it is over.
        Invalid: no answer is given to the person, or too much of one.
    """
    concern = lock_open(concern_id, Concern.Kind.HARDSHIP)
    close_concern(concern, Concern.Outcome.REFUSED, answer, by=by, at=at)
    return concern


def _person(person_id: UUID) -> Person:
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound
    return person


def _lock(person_id: UUID, order_id: UUID | None) -> list[Obligation]:
    """What of the person's debts a plan can be made for, oldest first, locked with its orders.

    Orders of which anything is in flight, stands still or was given up are left out.
    """
    owed = queries.easeable(person_id, order_id)
    orders = {order.id: order for order in Order.objects.locked_all(set(owed.values_list("order_id", flat=True)))}
    locked = Obligation.objects.select_for_update(of=("self",), no_key=True).filter(order_id__in=orders)
    rows = list(locked.order_by("pk"))
    for row in rows:
        row.order = orders[row.order_id]
    return queries.free_of(rows)


def _agree(
    rows: Sequence[Obligation], offer: Offer, person: Person, concern: Concern, *, by: Actor, at: datetime
) -> dict[str, Any]:
    """The debts are due by the plan from now on: what was overdue no longer is, and late fees stand still with it.

    Returns the plan as it is kept with what was asked: its terms, and what is due when.
    """
    days = rules.due_days(offer, at, person.zone)
    overdue = [row for row in rows if row.state == Obligation.State.OVERDUE]
    for row in overdue:
        row.start_anew()
    record_all(overdue, "started_anew", by=by, at=at, data=[{"concern": concern.id}] * len(overdue))
    made: list[Obligation] = []
    for currency in sorted({row.currency for row in rows}):
        made += _split([row for row in rows if row.currency == currency], days, by=by, at=at)
    keep_plans(made, Plan.Why.EASED, at=at)
    orders = sorted({row.order for row in rows}, key=lambda order: order.id)
    deltas = [
        change_for(
            order,
            overdue_orders=-1 if order.state == Order.State.OVERDUE else 0,
            eased_orders=0 if order.eased_at else 1,
        )
        for order in orders
    ]
    for order in orders:
        order.eased_at = at
        if order.state == Order.State.OVERDUE:
            order.start_anew()
    record_all(orders, "eased", by=by, at=at, data=[_told(order, offer, concern) for order in orders])
    change_profiles(deltas, at=at)
    news = [news_of(order, "order.rescheduled", due_at=_last_due(made, order)) for order in orders]
    tell(news, realm_id=person.realm_id, at=at)
    return {"parts": offer.parts, "every_days": offer.every_days, "due": _due(made)}


def _due(made: Sequence[Obligation]) -> list[dict[str, Any]]:
    """What comes to be due on each day of the plan, in each currency."""
    sums: dict[tuple[datetime, str], int] = {}
    for row in made:
        sums[row.due_at, row.currency] = sums.get((row.due_at, row.currency), 0) + row.owed.minor
    return [{"at": at.isoformat(), "minor": minor, "currency": code} for (at, code), minor in sorted(sums.items())]


def _split(rows: Sequence[Obligation], days: Sequence[datetime], *, by: Actor, at: datetime) -> list[Obligation]:
    """Each debt by the parts into which it falls: the first is the row that there is, the others stand beside it."""
    cut = rules.spread([row.owed.minor for row in rows], len(days))
    parts = [
        Part(row, minor, day)
        for row, shares in zip(rows, cut, strict=True)
        for minor, day in zip(shares, days, strict=True)
        if minor
    ]
    kept, new, told = [], [], []
    for row, group in groupby(parts, key=lambda part: part.row):
        first, *others = group
        told.append({"was": row.due_at, "due_at": first.due_at, "amount": row.paid_minor + first.minor})
        _put_off(row, row.paid + Money(first.minor, row.currency), first.due_at)
        kept.append(row)
        new += [_beside(row, part) for part in others]
    _number(new)
    record_all(kept, "put_off", by=by, at=at, data=told)
    record_all(new, "owed", by=by, at=at)
    return [*kept, *new]


def _put_off(row: Obligation, amount: Money, due_at: datetime) -> None:
    row.put_off(amount, due_at=due_at, overdue_from=due_at + row.order.grace)


def _beside(row: Obligation, part: Part) -> Obligation:
    """Another part of the same debt, with a date of its own."""
    other = Obligation(
        realm_id=row.realm_id,
        order=row.order,
        merchant_id=row.merchant_id,
        person_id=row.person_id,
        kind=row.kind,
        currency=row.currency,
        amount_minor=part.minor,
    )
    _put_off(other, Money(part.minor, row.currency), part.due_at)
    return other


def _number(new: Iterable[Obligation]) -> None:
    """New parts are numbered after those that their order has."""
    last: dict[UUID, int] = {}
    for row in new:
        if row.order_id not in last:
            last[row.order_id] = max(row.order.obligations.values_list("sequence", flat=True))
        last[row.order_id] += 1
        row.sequence = last[row.order_id]


def _told(order: Order, offer: Offer, concern: Concern) -> dict[str, Any]:
    return {"concern": concern.id, "parts": offer.parts, "every_days": offer.every_days, "currency": order.currency}


def _last_due(made: Sequence[Obligation], order: Order) -> datetime:
    return max(row.due_at for row in made if row.order_id == order.id)
