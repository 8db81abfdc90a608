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
    """The date is not one the policy lets the person choose, or they chose once already."""

    code, title = "cannot_move", _("This date cannot be chosen, or the attempt was moved already.")


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

    The first attempt at what has just become due is always allowed: the person expects it. A repeat of one that never
    took place counts against no cap, but may come late, and keeps to the hours like every other.
    """
    first = row.plan[0] if row.plan else {"reason": "due"}
    if first["reason"] == "due":
        return None
    if first["reason"] == "channel_trouble":
        when = planning.awake(policy, at, person.zone)
    else:
        when = planning.next_allowed(policy, source.id, at, zone=person.zone, tried=tried)
    if when == at:
        return None
    later = [attempt for attempt in row.plan[1:] if datetime.fromisoformat(attempt["at"]) > when]
    return [first | {"at": when.isoformat()}, *later]


@transaction.atomic
def move_next(obligation_id: UUID, to: datetime, *, at: datetime) -> None:
    """The person has the next attempt made on another day, once, within the policy.

    Raises:
        NotFound: there is no such obligation.
        CannotMove: none is planned, it was moved already, or the policy does not reach that far.
        DeductionInFlight: it is being made right now.
    """
    row = orders.lock_obligation(obligation_id)
    policy = queries.policies_at([row.order.service.retry_policy], at)[row.order.service.retry_policy]
    planned = [datetime.fromisoformat(attempt["at"]) for attempt in row.plan]
    if row.moved_at is not None or not planning.may_move(policy, planned, to, at=at):
        raise CannotMove
    moved = planning.awake(policy, to, row.person.zone)
    later = [attempt for attempt in row.plan[1:] if datetime.fromisoformat(attempt["at"]) > moved]
    orders.replan(row, [row.plan[0] | {"at": moved.isoformat(), "reason": "moved"}, *later], moved_at=at)


def sources_of(instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    return tuple(Source(str(instrument.id), instrument.label) for instrument in instruments)


def _recent_kinds(obligation_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The classes of each obligation's outcomes, newest first."""
    found: dict[UUID, list[str]] = {key: [] for key in obligation_ids}
    rows = DeductionLine.objects.filter(obligation_id__in=obligation_ids, live=False).order_by("-id")
    for key, kind in rows.values_list("obligation_id", "deduction__failure_class"):
        found[key].append(kind)
    return found
