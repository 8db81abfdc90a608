"""Plans of attempts: kept to when they are due, made again after a failure, moved by the person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing import planning, queries, rules
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import Kind, Policy, Situation, Source, Tried
from kernel.money import Money
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Obligation, Plan

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


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be taken for one locked obligation, from where, and the planned attempt it is, if it is one."""

    obligation: Obligation
    instrument: Instrument
    amount: Money
    attempt: Mapping[str, Any] | None = None

    @property
    def reason(self) -> str:
        return str(self.attempt["reason"]) if self.attempt else ""

    @property
    def debit(self) -> tuple[UUID, str, UUID | None]:
        """What goes into one debit together; one that is tried by itself goes alone."""
        alone = self.obligation.id if self.reason == planning.SPLIT else None
        return self.instrument.id, self.amount.currency, alone


@dataclass(slots=True)
class Due:
    """What becomes of obligations that have become due: asked for now, later, from elsewhere, or not at all."""

    wants: list[Want] = field(default_factory=list)
    put_off: dict[Obligation, list[dict[str, Any]]] = field(default_factory=dict)
    elsewhere: dict[Obligation, list[dict[str, Any]]] = field(default_factory=dict)
    stuck: list[Obligation] = field(default_factory=list)


def sort_out(due: Iterable[Obligation], *, at: datetime) -> Due:
    """Hold what is due against the caps and quiet hours of its people, the oldest debt first.

    The first attempt at what has just become due is always allowed: the person expects it. Everything else waits for
    the morning, and what the caps count waits for them; it counts as one with what goes into the same debit.
    """
    rows = sorted(due, key=lambda row: (row.person_id, row.due_at, row.id))
    usable = queries.instruments_of(row.person_id for row in rows)
    tried = queries.retries_of((row.person_id for row in rows), since=at - CAPS_LOOK_BACK)
    policies = queries.policies_at((row.order.service.retry_policy for row in rows), at)
    out = queries.channels_out()
    counted: set[tuple[UUID, str, UUID | None]] = set()
    found = Due()
    for row in rows:
        policy, zone = policies[row.order.service.retry_policy], row.person.zone
        attempt, instrument = _next(row, usable.get(row.person_id, []))
        if instrument is None:
            found.stuck.append(row)
            continue
        if instrument.channel in out:
            continue  # it came due a moment ago: the next look holds it
        if row.plan and attempt != row.plan[0]:
            found.elsewhere[row] = [attempt, *row.plan[1:]]
        want, past = Want(row, instrument, row.owed, attempt), tried.setdefault(row.person_id, [])
        if want.reason != "due" and want.debit not in counted:
            source, capped = str(instrument.id), want.reason not in queries.UNCOUNTED
            against = past if capped else []
            if not planning.allowed(policy, source, at, zone=zone, tried=against):
                when = planning.next_allowed(policy, source, at, zone=zone, tried=against)
                found.put_off[row] = _later(attempt, row.plan[1:], when)
                continue
            if capped:
                counted.add(want.debit)
                past.append(Tried(source, at))
        found.wants.append(want)
    return found


def after_failure(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, list[dict[str, Any]]]:
    """What the policy lets follow, for each line of planned deductions that took nothing."""
    planned = [line for line in lines if line.deduction.purpose == Deduction.Purpose.PLANNED]
    people = {line.deduction.person_id for line in planned}
    usable = queries.instruments_of(people)
    tried = queries.retries_of(people, since=at - CAPS_LOOK_BACK)
    policies = queries.policies_at((line.order.service.retry_policy for line in planned), at)
    past = queries.outcomes_of([line.obligation_id for line in planned])
    oldest = _oldest_of_several(planned)
    plans = {}
    for line in planned:
        deduction, obligation = line.deduction, line.obligation
        kind, zone = Kind(deduction.failure_class), ZoneInfo(obligation.person.zone)
        outcomes, today = past[line.obligation_id], at.astimezone(zone).date()
        situation = Situation(
            due_at=obligation.due_at,
            at=at,
            zone=zone.key,
            sources=sources_of(usable.get(deduction.person_id, [])),
            tried=tuple(tried.get(deduction.person_id, ())),
            failed=str(deduction.instrument_id),
            failed_today=frozenset(o.source for o in outcomes if o.at.astimezone(zone).date() == today),
            oldest_of_several=line.id in oldest,
            troubles=rules.row_of([outcome.kind for outcome in outcomes], kind),
        )
        made = planning.after_failure(policies[line.order.service.retry_policy], kind, situation)
        plans[line.id] = [attempt.plain() for attempt in made]
    return plans


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
    policy = _policy_of(row, at=at)
    planned = [datetime.fromisoformat(attempt["at"]) for attempt in row.plan]
    if row.moved_at is not None:
        raise MovedAlready
    if not planned or row.paused_at is not None:
        raise NothingPlanned
    if not planning.may_move(policy, planned, to, at=at):
        raise CannotMove
    reason = "due_moved" if row.plan[0]["reason"] == "due" else "moved"
    moved = _later(row.plan[0] | {"reason": reason}, row.plan[1:], planning.awake(policy, to, row.person.zone))
    fees = row.order.obligations.filter(kind=Obligation.Kind.LATE_FEE, state__in=Obligation.OWED, in_flight=None)
    along = fees.exclude(pk=row.pk).select_for_update(of=("self",), no_key=True).order_by("pk")
    orders.replan(dict.fromkeys((row, *along), moved), why=Plan.Why.MOVED, at=at, moved=True)


def plan_from(instrument: Instrument, *, at: datetime) -> None:
    """A new instrument is there: what its person owes and nothing was planned for is taken from it, in waking hours."""
    (source,) = sources_of([instrument])
    plans = {}
    for row in orders.lock_unplanned_of(instrument.person_id):
        when = planning.awake(_policy_of(row, at=at), at, row.person.zone)
        plans[row] = [planning.Planned(when, source, "new_instrument").plain()]
    if plans:
        orders.replan(plans, why=Plan.Why.OTHER_INSTRUMENT, at=at)


def sources_of(instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    return tuple(Source(str(instrument.id), instrument.label) for instrument in instruments)


def _policy_of(row: Obligation, *, at: datetime) -> Policy:
    name = row.order.service.retry_policy
    return queries.policies_at([name], at)[name]


def _next(row: Obligation, usable: Sequence[Instrument]) -> tuple[dict[str, Any], Instrument | None]:
    """The attempt that is due, and its instrument: the one planned if it may still be charged, else the first."""
    due = {"at": row.due_at.isoformat(), "instrument": None, "reason": "due"}
    attempt: dict[str, Any] = row.plan[0] if row.plan else due
    instrument = queries.source_of(attempt, usable)
    if instrument and attempt.get("source") not in (None, str(instrument.id)):
        (source,) = sources_of([instrument])
        attempt = attempt | {"instrument": source.label, "source": source.id}
    return attempt, instrument


def _later(attempt: Mapping[str, Any], rest: Iterable[Mapping[str, Any]], when: datetime) -> list[dict[str, Any]]:
    """A plan with its first attempt at another time, without those that would now lie before it."""
    after = [dict(other) for other in rest if datetime.fromisoformat(other["at"]) > when]
    return [{**attempt, "at": when.isoformat()}, *after]


def _oldest_of_several(lines: Sequence[DeductionLine]) -> set[UUID]:
    """Of each debit for more than one order, the line that stands first: the oldest debt."""
    groups: dict[UUID, list[DeductionLine]] = {}
    for line in lines:
        groups.setdefault(line.deduction_id, []).append(line)
    several = (group for group in groups.values() if len({line.order_id for line in group}) > 1)
    return {min(line.id for line in group) for group in several}
