"""What collection asks of orders: due obligations claimed, planned anew, let go."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Person
from kernel.prepared import Given, Reading
from kernel.refusal import NotFound, Refusal
from kernel.transactions import joined
from kernel.writes import insert_all, update_all
from orders.models import Obligation, Order, Plan
from orders.refusals import DayChosen, DeductionInFlight, NotDueYet, OrderState, PaidByHand, PlanAgreed, WrittenOff

#: The class of the advisory locks that name a person whose dues are being claimed.
TURN = 1


@dataclass(frozen=True, slots=True)
class Release:
    """An attempt that took nothing: why, and what comes next."""

    obligation_id: UUID
    failure: Mapping[str, Any] | None
    #: The attempts to come from now on; None keeps those already planned.
    plan: Sequence[Mapping[str, Any]] | None


def _locked_due(realm: Given, at: Given) -> QuerySet[Obligation]:
    due = Obligation.objects.filter(realm_id=realm, collect_at__lte=at)
    return due.select_for_update(skip_locked=True, of=("self",), no_key=True)


@lru_cache(maxsize=8)
def _due(limit: int) -> Reading[Obligation]:
    return Reading(
        lambda realm, at: _locked_due(realm, at).order_by("collect_at", "id")[:limit], ["bigint", "timestamptz"]
    )


_DUE_BESIDE = Reading(
    lambda realm, at, people, seen: (
        _locked_due(realm, at).filter(person_id__any=people).exclude(pk__any=seen).order_by("pk")
    ),
    ["bigint", "timestamptz", "uuid[]", "uuid[]"],
)


_ORDERS = Reading(lambda keys: Order.objects.filter(pk__any=keys).select_related("service"), ["uuid[]"])
_PEOPLE = Reading(lambda keys: Person.objects.filter(pk__any=keys), ["uuid[]"])


def lock_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Obligation], int]:
    """Obligations to be collected by now, locked, and how many were looked at: fewer than `limit` means none are left.

    All that is due of one person is claimed by one worker at one time, so that it becomes one debit and counts once
    against their caps: whose turn another worker holds is left to it.
    """
    first = _due(limit).rows(realm_id, at)
    mine = _turns({row.person_id for row in first})
    rows = [row for row in first if row.person_id in mine]
    rows += _DUE_BESIDE.rows(realm_id, at, list(mine), [row.id for row in first])
    return _with_their_own(rows), len(first)


def people_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[UUID], int]:
    """Whose the obligations are that lock_due would look at first, and how many those are."""
    due = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at).order_by("collect_at", "id")
    found = list(due.values_list("person_id", flat=True)[:limit])
    return list(dict.fromkeys(found)), len(found)


def lock_due_of(people: Sequence[UUID], realm_id: int, *, at: datetime) -> list[Obligation]:
    """What is to be collected of these people by now, locked; whose turn another worker holds is left to it."""
    return _with_their_own(_DUE_BESIDE.rows(realm_id, at, list(_turns(set(people))), []))


def _with_their_own(rows: list[Obligation]) -> list[Obligation]:
    _ORDERS.give(rows, "order")
    _PEOPLE.give(rows, "person")
    return rows


def lock_owed(order_id: UUID, *, lost: bool) -> tuple[Order, list[Obligation]]:
    """What is owed of one order, locked with it, for somebody who wants to pay or collect now.

    A debt given up is among it where it may be `lost`: for its person, who may pay it, and for nobody who asks for it.

    Raises:
        NotFound: there is no such order.
        OrderState: nothing is owed of it.
        WrittenOff: it was given up as lost.
        DeductionInFlight: it is being collected already.
    """
    order = Order.objects.locked(order_id)
    if not order.is_owed:
        raise OrderState(f"The order is {order.state}.")
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(obligation.in_flight for obligation in obligations):
        raise DeductionInFlight(retry_after=5)
    payable = Obligation.PAYABLE if lost else Obligation.OWED
    owed = [obligation for obligation in obligations if obligation.state in payable]
    if not owed:
        raise WrittenOff
    return order, sorted(owed, key=lambda row: (row.due_at, row.id))


def collectable(order: Order, rows: Sequence[Obligation], *, at: datetime) -> list[Obligation]:
    """What of an order's obligations somebody else than its person may have debited now, as the person was told.

    Raises:
        PaidByHand: it is left to its person's own hand.
        PlanAgreed, NotDueYet: nothing of it is due, by the plan that its person keeps to, or as it was completed.
        DayChosen: for all that is due its person chose a later day.
    """
    asked = [row for row in rows if row.state in Obligation.OWED and not row.by_hand]
    if not asked:
        raise PaidByHand
    due = [row for row in asked if row.due_at <= at]
    if not due:
        raise PlanAgreed if order.eased_at else NotDueYet
    if not (free := [row for row in due if row.chosen_at is None or row.chosen_at <= at]):
        raise DayChosen
    return free


def is_collectable(order: Order, rows: Sequence[Obligation], *, at: datetime) -> bool:
    """Whether there is anything that somebody else than its person could have debited now, and nothing in the way."""
    if not order.is_owed or any(row.in_flight or row.paused_at for row in rows):
        return False
    try:
        return bool(collectable(order, rows, at=at))
    except Refusal:
        return False


def lock_owed_by(person_id: UUID, order_ids: Collection[UUID] | None = None) -> list[Obligation]:
    """Everything a person can pay, or of these orders, oldest first, locked; not what is in flight or stands still."""
    owed = Obligation.objects.filter(
        person_id=person_id, state__in=Obligation.PAYABLE, in_flight__isnull=True, paused_at__isnull=True
    )
    if order_ids is not None:
        owed = owed.filter(order_id__in=order_ids)
    Order.objects.lock_all(set(owed.values_list("order_id", flat=True)))
    rows = list(owed.select_for_update(of=("self",), no_key=True).order_by("pk"))
    return sorted(rows, key=lambda row: (row.due_at, row.id))


def lock_unplanned_of(person_id: UUID) -> list[Obligation]:
    """What a person owes that nothing is planned for and is not left to their own hand, oldest first, locked."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, by_hand=False)
    rows = owed.select_for_update(of=("self",), no_key=True).select_related("person").order_by("pk")
    return [row for row in rows if not row.plan]


def lock_planned_of(person_id: UUID) -> list[Obligation]:
    """What a person owes that attempts are planned for, locked, without what somebody else holds at the moment."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, in_flight__isnull=True)
    rows = owed.exclude(plan=[]).select_for_update(of=("self",), no_key=True, skip_locked=True)
    return list(rows.order_by("pk"))


def lock_obligation(obligation_id: UUID) -> Obligation:
    """One obligation, locked with its order, on which nothing is in flight.

    Raises:
        NotFound: there is no such obligation.
        DeductionInFlight: it is being collected.
    """
    found = Obligation.objects.filter(pk=obligation_id).values_list("order_id", flat=True).first()
    if found is None:
        raise NotFound
    order = Order.objects.locked(found)
    row = Obligation.objects.locked(obligation_id)
    if row.in_flight:
        raise DeductionInFlight(retry_after=5)
    row.order = order
    return row


def claim(pairs: Iterable[tuple[Obligation, UUID]], *, planned: bool) -> None:
    """These locked obligations are being collected by these deductions: nothing else may touch what they owe.

    A `planned` attempt is taken off the plan; any other leaves the plan as it is.
    """
    claimed = []
    for obligation, deduction_id in pairs:
        obligation.in_flight, obligation.collect_at = deduction_id, None
        obligation.attempts += 1
        if planned:
            obligation.plan = obligation.plan[1:]
        claimed.append(obligation)
    update_all(claimed, ["in_flight", "collect_at", "attempts", "plan"])


@joined()
def release(releases: Sequence[Release], *, why: str = Plan.Why.FAILED, at: datetime) -> None:
    """Attempts ended without money: the obligations are free again, and wait for their next date."""
    by_id = {item.obligation_id: item for item in releases}
    rows = Obligation.objects.locked_all(by_id)
    for row in rows:
        item = by_id[row.id]
        row.in_flight = None
        if item.plan is not None:
            row.plan = row.on_its_clock(item.plan, at=at)
        row.wait_for_next()
        row.last_failure = dict(item.failure) if item.failure else row.last_failure
    update_all(rows, ["in_flight", "collect_at", "plan", "last_failure"])
    keep_plans([row for row in rows if by_id[row.id].plan is not None], why, at=at)


def replan(
    plans: Mapping[Obligation, Sequence[Mapping[str, Any]]], *, why: str, at: datetime, moved: bool = False
) -> None:
    """These locked obligations are collected by other plans from now on; `moved` is a person's one move of a date."""
    for row, plan in plans.items():
        row.plan = list(plan)
        row.moved_at = at if moved else row.moved_at
        row.wait_for_next()
    update_all(list(plans), ["plan", "moved_at", "collect_at"])
    keep_plans(plans, why, at=at)


def keep_plans(rows: Iterable[Obligation], why: str, *, at: datetime) -> None:
    """The plans these obligations have from now on, for everybody who asks later whether they were kept to."""
    insert_all([Plan(obligation=row, person_id=row.person_id, why=why, attempts=row.plan, at=at) for row in rows])


def _turns(people: set[UUID]) -> set[UUID]:
    """Those of these people whose turn is ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::uuid[]) AS p (id) WHERE pg_try_advisory_xact_lock(%s, hashtext(id::text))",
            [sorted(people), TURN],
        )
        return {key for (key,) in cursor.fetchall()}
