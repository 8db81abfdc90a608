"""Plans of attempts: kept to when they are due, made again after a failure, moved by the person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing import planning, purse, queries, rules
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import Kind, Limits, Policy, Situation, Source, Tried
from kernel.money import Money
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Obligation, Plan

CAPS_LOOK_BACK = timedelta(days=30)


class CannotMove(Refusal):
    """The date is not one the policy lets the person choose."""

    code, status, title = "cannot_move", 422, _("This date is not available. Choose one of the dates offered.")


class MovedAlready(CannotMove):
    """They chose once; what is planned stays."""

    code, status = "moved_already", 409
    title = _("You have already changed this date once. It can be changed only once.")


class NothingPlanned(CannotMove):
    """There is no attempt to come, or its clock stands still."""

    code, status, title = "nothing_planned", 409, _("There is no scheduled deduction whose date can be changed.")


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
    def capped(self) -> bool:
        """Whether it is a retry, which the caps on asking a person's bank count."""
        return self.reason not in queries.UNCOUNTED

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
    #: More than the person's own limits let through on any day.
    above: list[Obligation] = field(default_factory=list)


@dataclass(slots=True)
class _Room:
    """What the limits and caps of people still let through, while their debits are put together."""

    tried: dict[UUID, list[Tried]]
    today: dict[UUID, int]
    debits: dict[Any, int] = field(default_factory=dict)
    counted: set[Any] = field(default_factory=set)

    def has(self, want: Want) -> bool:
        """Whether the limits of its instrument let this be taken today, with what goes into the same debit."""
        beside, today = self.debits.get(want.debit, 0), self.today.get(want.instrument.id, 0)
        return want.instrument.limits.allow(want.amount, beside=beside, today=today)

    def later(self, want: Want, policy: Policy, *, at: datetime) -> list[dict[str, Any]] | None:
        """The plan by which it is taken on another day; None if it may be taken now."""
        row, source, zone = want.obligation, str(want.instrument.id), want.obligation.person.zone
        attempt, rest = dict(want.attempt or {}), row.plan[1:]
        against = self.tried.get(row.person_id, []) if want.capped else []
        if not self.has(want):
            tomorrow = planning.next_day(policy, at, zone)
            when = planning.next_allowed(policy, source, tomorrow, zone=zone, tried=against)
            return _later(attempt | {"reason": planning.LIMITS}, rest, when)
        expected = want.reason == "due" or want.debit in self.counted
        if expected or planning.allowed(policy, source, at, zone=zone, tried=against):
            return None
        return _later(attempt, rest, planning.next_allowed(policy, source, at, zone=zone, tried=against))

    def take(self, want: Want, *, at: datetime) -> None:
        self.debits[want.debit] = self.debits.get(want.debit, 0) + want.amount.minor
        self.today[want.instrument.id] = self.today.get(want.instrument.id, 0) + want.amount.minor
        if want.capped and want.debit not in self.counted:
            self.counted.add(want.debit)
            self.tried.setdefault(want.obligation.person_id, []).append(Tried(str(want.instrument.id), at))


def sort_out(due: Iterable[Obligation], *, at: datetime) -> Due:
    """Hold what is due against the limits, caps and quiet hours of its people, the oldest debt first.

    The first attempt at what has just become due is allowed at any hour: the person expects it. Everything else waits
    for the morning, and what the caps count waits for them; it counts as one with what goes into the same debit. What
    the person's limits do not let through is taken whole, from their next instrument or on another day.
    """
    rows = sorted(due, key=lambda row: (row.person_id, row.due_at, row.id))
    usable = queries.instruments_of(row.person_id for row in rows)
    policies = queries.policies_at((row.order.service.retry_policy for row in rows), at)
    out, room, found = queries.channels_out(), _room(rows, usable, at=at), Due()
    for row in rows:
        mine = usable.get(row.person_id, [])
        want = _next(row, mine, room)
        if want is None:
            (found.above if mine else found.stuck).append(row)
            continue
        if want.instrument.channel in out:
            continue  # it came due a moment ago: the next look holds it
        if row.plan and want.attempt != row.plan[0]:
            found.elsewhere[row] = [dict(want.attempt or {}), *row.plan[1:]]
        later = room.later(want, policies[row.order.service.retry_policy], at=at)
        if later is not None:
            found.put_off[row] = later
            continue
        room.take(want, at=at)
        found.wants.append(want)
    return found


def _room(rows: Sequence[Obligation], usable: Mapping[UUID, Sequence[Instrument]], *, at: datetime) -> _Room:
    zones = {row.person_id: row.person.zone for row in rows}
    instruments = [instrument for mine in usable.values() for instrument in mine]
    return _Room(
        tried=queries.retries_of(zones, since=at - CAPS_LOOK_BACK),
        today=purse.taken_today(instruments, zones, at=at),
    )


def after_failure(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, list[dict[str, Any]]]:
    """What the policy lets follow, for each line of planned deductions that took nothing."""
    planned = [line for line in lines if line.deduction.purpose == Deduction.Purpose.PLANNED]
    people = {line.deduction.person_id for line in planned}
    usable = queries.instruments_of(people)
    tried = queries.retries_of(people, since=at - CAPS_LOOK_BACK)
    policies = queries.policies_at((line.order.service.retry_policy for line in planned), at)
    past = queries.outcomes_of([line.obligation_id for line in planned])
    oldest, dues = _oldest_of_several(planned), _dues(planned, at=at)
    plans = {}
    for line in planned:
        deduction, obligation = line.deduction, line.obligation
        kind, zone = Kind(deduction.failure_class), ZoneInfo(obligation.person.zone)
        outcomes, today = past[line.obligation_id], at.astimezone(zone).date()
        situation = Situation(
            due_at=dues[line.id],
            at=at,
            zone=zone.key,
            sources=sources_of(usable.get(deduction.person_id, [])),
            amount=obligation.owed,
            tried=tuple(tried.get(deduction.person_id, ())),
            failed=str(deduction.instrument_id),
            failed_today=frozenset(o.source for o in outcomes if o.at.astimezone(zone).date() == today),
            oldest_of_several=line.id in oldest,
            troubles=rules.row_of([outcome.kind for outcome in outcomes], kind),
        )
        made = planning.after_failure(policies[line.order.service.retry_policy], kind, situation)
        plans[line.id] = [attempt.plain() for attempt in made]
    return plans


def _dues(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, datetime]:
    """When each was due, later by as long as its clock stood still since: retries are so many days after that.

    A late fee goes by the clock of the debt that it was taken with.
    """
    rows = [(line, line.obligation) for line in lines]
    stood = {line.id: row.stood_still(grace=line.order.grace, zone=row.person.zone, at=at) for line, row in rows}
    debts = {line.order_id: stood[line.id] for line, row in rows if row.kind in Obligation.AGEING}
    fees = {line.id: debts.get(line.order_id, stood[line.id]) for line, row in rows if row.kind not in row.AGEING}
    return {line.id: row.due_at + max(stood[line.id], fees.get(line.id, stood[line.id])) for line, row in rows}


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
    beside = [
        fee for fee in along if fee.by_hand == row.by_hand and fee.plan and fee.plan[0]["at"] == row.plan[0]["at"]
    ]
    orders.replan(dict.fromkeys((row, *beside), moved), why=Plan.Why.MOVED, at=at, moved=True)


def plan_from(instrument: Instrument, *, before: Limits | None = None, at: datetime) -> None:
    """Money can be taken there now: what its person owes and nothing was planned for, is, in waking hours.

    Where it was there `before`, under other limits, that is only what passed those.
    """
    (source,) = sources_of([instrument])
    reason = "new_instrument" if before is None else "limits_raised"
    plans = {}
    for row in orders.lock_unplanned_of(instrument.person_id):
        if source.limits.allow(row.owed) and not (before and before.allow(row.owed)):
            when = planning.awake(_policy_of(row, at=at), at, row.person.zone)
            plans[row] = row.on_its_clock([planning.Planned(when, source, reason).plain()], at=at)
    if plans:
        orders.replan(plans, why=Plan.Why.OTHER_INSTRUMENT, at=at)


def follow_instruments(person_id: UUID, *, at: datetime) -> None:
    """What the person pays from, or in which order, is something else now: what is planned follows.

    What is being claimed at this moment is passed over: its instrument is looked at again when its time comes.
    """
    usable, plans = queries.instruments_of([person_id]).get(person_id, []), {}
    for row in orders.lock_planned_of(person_id):
        plan = planning.followed(row.plan, sources_of(purse.fitting(usable, row.owed)))
        if plan != row.plan:
            plans[row] = plan
    if plans:
        orders.replan(plans, why=Plan.Why.OTHER_INSTRUMENT, at=at)


def sources_of(instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    return tuple(Source(str(instrument.id), instrument.label, instrument.limits) for instrument in instruments)


def _policy_of(row: Obligation, *, at: datetime) -> Policy:
    name = row.order.service.retry_policy
    return queries.policies_at([name], at)[name]


def _next(row: Obligation, usable: Sequence[Instrument], room: _Room) -> Want | None:
    """The attempt that is due, from the instrument planned if it may be charged so much today, else the first that may.

    Where none may today, it is the planned one's, on another day; None where none ever may.
    """
    fits = purse.fitting(usable, row.owed)
    due = {"at": row.due_at.isoformat(), "instrument": None, "reason": "due"}
    attempt: dict[str, Any] = row.plan[0] if row.plan else due
    planned = purse.source_of(attempt, fits)
    if planned is None:
        return None
    wants = [Want(row, instrument, row.owed, _from(attempt, instrument)) for instrument in (planned, *fits)]
    return next((want for want in wants if room.has(want)), wants[0])


def _from(attempt: Mapping[str, Any], instrument: Instrument) -> dict[str, Any]:
    """The attempt, made from there; one that names no instrument goes on naming none."""
    if attempt.get("source") in (None, str(instrument.id)):
        return dict(attempt)
    return {**attempt, "instrument": instrument.label, "source": str(instrument.id)}


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
