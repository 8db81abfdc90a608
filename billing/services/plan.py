"""Plans of attempts: made again after a failure, put off where a cap or the hour forbids, moved by the person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import Person
from billing import planning, queries, rules
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import Kind, Policy, Situation, Source, Tried
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Obligation

CAPS_LOOK_BACK = timedelta(days=30)


class CannotMove(Refusal):
    """The date is not one the policy lets the person choose."""

    code, status, title = "cannot_move", 422, _("This date cannot be chosen. Choose one of those offered.")


class MovedAlready(CannotMove):
    """They chose once; what is planned stays."""

    code, status, title = "moved_already", 409, _("You have moved this deduction before. It can be moved once.")


class NothingPlanned(CannotMove):
    """There is no attempt to come, or its clock stands still."""

    code, status, title = "nothing_planned", 409, _("No deduction is planned that could be moved.")


def after_failure(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, list[dict[str, Any]]]:
    """What the policy lets follow, for each line of planned deductions that took nothing."""
    planned = [line for line in lines if line.deduction.purpose == Deduction.Purpose.PLANNED]
    people = {line.deduction.person_id for line in planned}
    usable = queries.instruments_of(people)
    tried = queries.retries_of(people, since=at - CAPS_LOOK_BACK)
    policies = queries.policies_at((line.order.service.retry_policy for line in planned), at)
    kinds = _recent_kinds([line.obligation_id for line in planned])
    plans = {}
    for line in planned:
        deduction, person_id = line.deduction, line.deduction.person_id
        kind = Kind(deduction.failure_class)
        situation = Situation(
            due_at=line.obligation.due_at,
            at=at,
            zone=deduction.person.zone,
            sources=sources_of(usable.get(person_id, [])),
            tried=tried.get(person_id, ()),
            failed=str(deduction.instrument_id),
            troubles=rules.row_of(kinds[line.obligation_id], kind),
        )
        made = planning.after_failure(policies[line.order.service.retry_policy], kind, situation)
        plans[line.id] = [attempt.plain() for attempt in made]
    return plans


def put_off(
    row: Obligation, policy: Policy, source: Source, person: Person, tried: Sequence[Tried], *, at: datetime
) -> list[dict[str, Any]] | None:
    """The plan with its first attempt at the next time it is allowed, or None if it is allowed now.

    The first attempt at what has just become due is always allowed: the person expects it.
    """
    first = row.plan[0] if row.plan else {"reason": "due"}
    if first["reason"] in ("due", "channel_trouble"):
        return None
    if planning.allowed(policy, source.id, at, zone=person.zone, tried=tried):
        return None
    when = planning.next_allowed(policy, source.id, at, zone=person.zone, tried=tried)
    later = [attempt for attempt in row.plan[1:] if datetime.fromisoformat(attempt["at"]) > when]
    return [first | {"at": when.isoformat()}, *later]


@transaction.atomic
def move_next(obligation_id: UUID, to: datetime, *, at: datetime) -> None:
    """The person has the next attempt made on another day, once, within the policy; the late fee waits with its debt.

    Raises:
        NotFound: there is no such obligation.
        DeductionInFlight: it is being made right now.
        MovedAlready, NothingPlanned: there is nothing to move, or not once more.
        CannotMove: the policy does not reach that far.
    """
    row = orders.lock_obligation(obligation_id)
    policy = queries.policies_at([row.order.service.retry_policy], at)[row.order.service.retry_policy]
    planned = [datetime.fromisoformat(attempt["at"]) for attempt in row.plan]
    if row.moved_at is not None:
        raise MovedAlready
    if not planned or row.paused_at is not None:
        raise NothingPlanned
    if not planning.may_move(policy, planned, to, at=at):
        raise CannotMove
    moved = planning.awake(policy, to, row.person.zone)
    later = [attempt for attempt in row.plan[1:] if datetime.fromisoformat(attempt["at"]) > moved]
    plan = [row.plan[0] | {"at": moved.isoformat(), "reason": "moved"}, *later]
    fees = row.order.obligations.filter(kind=Obligation.Kind.LATE_FEE, state__in=Obligation.OWED, in_flight=None)
    for moving in (row, *fees.exclude(pk=row.pk).select_for_update(of=("self",), no_key=True).order_by("pk")):
        orders.replan(moving, plan, moved_at=at)


def sources_of(instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    return tuple(Source(str(instrument.id), instrument.label) for instrument in instruments)


def _recent_kinds(obligation_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The classes of each obligation's outcomes, newest first."""
    found: dict[UUID, list[str]] = {key: [] for key in obligation_ids}
    rows = DeductionLine.objects.filter(obligation_id__in=obligation_ids, live=False).order_by("-id")
    for key, kind in rows.values_list("obligation_id", "deduction__failure_class"):
        found[key].append(kind)
    return found
