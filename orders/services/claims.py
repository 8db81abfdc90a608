"""Claim, plan and release the obligations that collection works on."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Person
from kernel.bulk_writes import insert_all, update_all
from kernel.prepared_statements import Parameter, PreparedQuery
from kernel.refusal import NotFound, Refusal
from kernel.transactions import join_transaction
from orders.models import Obligation, Order, Plan
from orders.refusals import (
    DayChosen,
    DeductionInFlight,
    NotDueYet,
    PaidByHand,
    PlanAgreed,
    WrittenOff,
    order_state_refusal,
)

#: The class of the advisory locks on people whose obligations are being claimed or put on a payment plan. Row locks on
#: orders and obligations come before it. A sweep only tries it, and skips the people it does not get.
PERSON_LOCK = 1


@dataclass(frozen=True, slots=True)
class Release:
    """A failed attempt: the failure, and the next plan."""

    obligation_id: UUID
    failure: Mapping[str, Any] | None
    #: The new plan; None keeps the current one.
    plan: Sequence[Mapping[str, Any]] | None


def _locked_due(realm: Parameter, at: Parameter) -> QuerySet[Obligation]:
    due = Obligation.objects.filter(realm_id=realm, collect_at__lte=at)
    return due.select_for_update(skip_locked=True, of=("self",), no_key=True)


@lru_cache(maxsize=8)
def _due_batch(limit: int) -> PreparedQuery[Obligation]:
    return PreparedQuery(
        lambda realm, at: _locked_due(realm, at).order_by("collect_at", "id")[:limit], ["bigint", "timestamptz"]
    )


_DUE_OF_PEOPLE = PreparedQuery(
    lambda realm, at, people, seen: (
        _locked_due(realm, at).filter(person_id__any=people).exclude(pk__any=seen).order_by("pk")
    ),
    ["bigint", "timestamptz", "uuid[]", "uuid[]"],
)


_ORDERS = PreparedQuery(lambda keys: Order.objects.filter(pk__any=keys).select_related("service"), ["uuid[]"])
_PEOPLE = PreparedQuery(lambda keys: Person.objects.filter(pk__any=keys), ["uuid[]"])


def lock_due(realm_id: int, *, at: datetime, limit: int) -> tuple[list[Obligation], int]:
    """Lock obligations due for collection. Returns them and how many were looked at: fewer than `limit` means none are
    left.

    All due obligations of one person are claimed by the same worker, so that they become one deduction and count once
    against the person's limits. People locked by another worker are skipped.
    """
    first = _due_batch(limit).rows(realm_id, at)
    locked_people = _lock_people({row.person_id for row in first})
    rows = [row for row in first if row.person_id in locked_people]
    rows += _DUE_OF_PEOPLE.rows(realm_id, at, list(locked_people), [row.id for row in first])
    return _attach_related(rows), len(first)


def people_due(realm_id: int, *, at: datetime, limit: int, excluded: Collection[UUID] = ()) -> tuple[list[UUID], int]:
    """The people whose obligations lock_due would look at first, except the excluded people, and how many obligations
    those are.
    """
    due = Obligation.objects.filter(realm_id=realm_id, collect_at__lte=at).exclude(person_id__in=excluded)
    person_ids = list(due.order_by("collect_at", "id").values_list("person_id", flat=True)[:limit])
    return list(dict.fromkeys(person_ids)), len(person_ids)


def lock_due_of(people: Sequence[UUID], realm_id: int, *, at: datetime) -> list[Obligation]:
    """The due obligations of these people, locked; people locked by another worker are skipped."""
    return _attach_related(_DUE_OF_PEOPLE.rows(realm_id, at, list(_lock_people(set(people))), []))


def _attach_related(rows: list[Obligation]) -> list[Obligation]:
    _ORDERS.attach_related(rows, "order")
    _PEOPLE.attach_related(rows, "person")
    return rows


def lock_owed(order_id: UUID, *, include_written_off: bool) -> tuple[Order, list[Obligation]]:
    """Lock an order with what is owed of it, to be paid or collected now.

    Written-off debts are included only with `include_written_off`: the person may pay them, nobody else may collect
    them.

    Raises:
        NotFound: there is no such order.
        OrderState: nothing is owed of it.
        WrittenOff: it was written off.
        DeductionInFlight: it is being collected already.
    """
    order = Order.objects.locked(order_id)
    if not order.is_owed:
        raise order_state_refusal(order.state)
    obligations = list(order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk"))
    if any(obligation.in_flight for obligation in obligations):
        raise DeductionInFlight(retry_after=5)
    payable = Obligation.PAYABLE if include_written_off else Obligation.OWED
    owed = [obligation for obligation in obligations if obligation.state in payable]
    if not owed:
        raise WrittenOff
    return order, sorted(owed, key=lambda row: (row.due_at, row.id))


def collectable_obligations(order: Order, rows: Sequence[Obligation], *, at: datetime) -> list[Obligation]:
    """The obligations of an order that merchants or staff may have deducted now, in keeping with what the person was
    told.

    Raises:
        PaidByHand: only the person can pay it.
        PlanAgreed, NotDueYet: nothing is due yet, under a payment plan or as completed.
        DayChosen: the person chose a later day for everything that is due.
    """
    collectable = [row for row in rows if row.state in Obligation.OWED and not row.by_hand]
    if not collectable:
        raise PaidByHand
    due = [row for row in collectable if row.due_at <= at]
    if not due:
        raise PlanAgreed if order.eased_at else NotDueYet
    if not (not_deferred := [row for row in due if row.chosen_at is None or row.chosen_at <= at]):
        raise DayChosen
    return not_deferred


def is_collectable(order: Order, rows: Sequence[Obligation], *, at: datetime) -> bool:
    """Whether merchants or staff could have something deducted now."""
    if not order.is_owed or any(row.in_flight or row.paused_at for row in rows):
        return False
    try:
        return bool(collectable_obligations(order, rows, at=at))
    except Refusal:
        return False


def lock_owed_by(person_id: UUID, order_ids: Collection[UUID] | None = None) -> list[Obligation]:
    """Everything a person can pay, optionally of these orders only, oldest first, locked; not what is in flight or
    paused.
    """
    owed = Obligation.objects.filter(
        person_id=person_id, state__in=Obligation.PAYABLE, in_flight__isnull=True, paused_at__isnull=True
    )
    if order_ids is not None:
        owed = owed.filter(order_id__in=order_ids)
    Order.objects.lock_all(set(owed.values_list("order_id", flat=True)))
    rows = list(owed.select_for_update(of=("self",), no_key=True).order_by("pk"))
    return sorted(rows, key=lambda row: (row.due_at, row.id))


def lock_unplanned_of(person_id: UUID) -> list[Obligation]:
    """What a person owes without a planned attempt and not only payable by themselves, oldest first, locked."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, by_hand=False)
    rows = owed.select_for_update(of=("self",), no_key=True).select_related("person").order_by("pk")
    return [row for row in rows if not row.plan]


def lock_planned_of(person_id: UUID) -> list[Obligation]:
    """What a person owes with planned attempts, locked, without rows locked by others."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED, in_flight__isnull=True)
    rows = owed.exclude(plan=[]).select_for_update(of=("self",), no_key=True, skip_locked=True)
    return list(rows.order_by("pk"))


def lock_obligation(obligation_id: UUID) -> Obligation:
    """One obligation without a deduction in flight, locked with its order and the order's other obligations.

    Raises:
        NotFound: there is no such obligation.
        DeductionInFlight: it is being collected.
    """
    order_id = Obligation.objects.filter(pk=obligation_id).values_list("order_id", flat=True).first()
    if order_id is None:
        raise NotFound
    order = Order.objects.locked(order_id)
    # All of them, in the order of their keys: the caller may change the order's late fees with this one.
    rows = {row.pk: row for row in order.obligations.select_for_update(of=("self",), no_key=True).order_by("pk")}
    row = rows[obligation_id]
    if row.in_flight:
        raise DeductionInFlight(retry_after=5)
    row.order = order
    return row


def claim_obligations(pairs: Iterable[tuple[Obligation, UUID]], *, planned: bool) -> None:
    """Mark these locked obligations as being collected by these deductions: nothing else may collect or change them.

    A `planned` attempt is removed from the plan; any other leaves the plan as it is.
    """
    claimed, counted = [], set[tuple[UUID, UUID]]()
    for obligation, deduction_id in pairs:
        obligation.in_flight, obligation.collect_at = deduction_id, None
        obligation.attempts += 1
        obligation.shared_attempts += (obligation.order_id, deduction_id) in counted
        counted.add((obligation.order_id, deduction_id))
        if planned:
            obligation.plan = obligation.plan[1:]
        claimed.append(obligation)
    update_all(claimed, ["in_flight", "collect_at", "attempts", "shared_attempts", "plan"])


@join_transaction()
def release_obligations(releases: Sequence[Release], *, why: str = Plan.Why.FAILED, at: datetime) -> None:
    """Attempts failed: release their obligations, which wait for their next planned date."""
    by_id = {item.obligation_id: item for item in releases}
    rows = Obligation.objects.locked_all(by_id)
    for row in rows:
        item = by_id[row.id]
        row.in_flight = None
        if item.plan is not None:
            row.plan = row.plan_as_of_pause(item.plan, at=at)
        row.schedule_next()
        row.last_failure = dict(item.failure) if item.failure else row.last_failure
    update_all(rows, ["in_flight", "collect_at", "plan", "last_failure"])
    record_plans([row for row in rows if by_id[row.id].plan is not None], why, at=at)


def replace_plans(
    plans: Mapping[Obligation, Sequence[Mapping[str, Any]]], *, why: str, at: datetime, moved: bool = False
) -> None:
    """Replace the plans of these locked obligations; `moved` if the person used their one move of a date."""
    for row, plan in plans.items():
        row.plan = list(plan)
        row.moved_at = at if moved else row.moved_at
        row.schedule_next()
    update_all(list(plans), ["plan", "moved_at", "collect_at"])
    record_plans(plans, why, at=at)


def record_plans(rows: Iterable[Obligation], why: str, *, at: datetime) -> None:
    """Store the new plans, for later checks whether they were kept."""
    insert_all([Plan(obligation=row, person_id=row.person_id, why=why, attempts=row.plan, at=at) for row in rows])


def take_person_lock(person_id: UUID) -> None:
    """Wait for the lock on a person that a sweep holds while it claims what they owe, and hold it until the transaction
    ends: nobody else collects from them on request, or puts their debts on a payment plan, meanwhile.

    The caller has locked the obligations already.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [PERSON_LOCK, str(person_id)])


def _lock_people(people: set[UUID]) -> set[UUID]:
    """Those of these people whose lock we got; it lasts until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM unnest(%s::uuid[]) AS p (id) WHERE pg_try_advisory_xact_lock(%s, hashtext(id::text))",
            [sorted(people), PERSON_LOCK],
        )
        return {key for (key,) in cursor.fetchall()}
