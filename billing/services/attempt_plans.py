"""Plans of deduction attempts: what is due now, what follows a failure, and dates moved by the person."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing import instrument_queries, planning, queries, rules
from billing.models import Deduction, DeductionLine, Instrument
from billing.planning import FailureClass, Limits, PastRetry, Policy, Situation, Source
from kernel.money import Money
from kernel.refusal import Refusal
from orders import services as orders
from orders.models import Obligation, Plan

CAPS_LOOKBACK = timedelta(days=30)


class CannotMove(Refusal):
    """The date is not one the policy lets the person choose."""

    code, status, title = "cannot_move", 422, _("This date is not available. Choose one of the dates offered.")


class MovedAlready(CannotMove):
    """The date was moved once already."""

    code, status = "moved_already", 409
    title = _("You have already changed this date once. It can be changed only once.")


class NothingPlanned(CannotMove):
    """There is no attempt to come, or the order is paused."""

    code, status, title = "nothing_planned", 409, _("There is no scheduled deduction whose date can be changed.")


@dataclass(frozen=True, slots=True)
class DeductionRequest:
    """What to deduct for one locked obligation, from which instrument, and for which planned attempt if any."""

    obligation: Obligation
    instrument: Instrument
    amount: Money
    attempt: Mapping[str, Any] | None = None

    @property
    def reason(self) -> str:
        return str(self.attempt["reason"]) if self.attempt else ""

    @property
    def counts_toward_caps(self) -> bool:
        """Whether it is a retry that the caps on retries count."""
        return self.reason not in queries.UNCAPPED_REASONS

    @property
    def debit_key(self) -> tuple[UUID, str, UUID | None]:
        """Requests with the same key share one deduction; one with reason `split` gets its own."""
        alone = self.obligation.id if self.reason == planning.SPLIT else None
        return self.instrument.id, self.amount.currency, alone


@dataclass(slots=True)
class SortedDue:
    """Due obligations by what happens to them: deduct now, postpone, use another instrument, or give up."""

    requests: list[DeductionRequest] = field(default_factory=list)
    postponed: dict[Obligation, list[dict[str, Any]]] = field(default_factory=dict)
    rerouted: dict[Obligation, list[dict[str, Any]]] = field(default_factory=dict)
    without_instrument: list[Obligation] = field(default_factory=list)
    #: Above the person's spending limits on any day.
    above_limits: list[Obligation] = field(default_factory=list)


@dataclass(slots=True)
class _Allowance:
    """What spending limits and retry caps still allow while deductions are put together."""

    retries: dict[UUID, list[PastRetry]]
    taken_today: dict[UUID, int]
    debit_totals: dict[Any, int] = field(default_factory=dict)
    counted_debits: set[Any] = field(default_factory=set)

    def fits(self, request: DeductionRequest) -> bool:
        """Whether the instrument's limits allow this today, with what is already in the same deduction."""
        same_debit, today = self.debit_totals.get(request.debit_key, 0), self.taken_today.get(request.instrument.id, 0)
        return request.instrument.limits.allows(request.amount, same_debit=same_debit, today=today)

    def postponed_plan(self, request: DeductionRequest, policy: Policy, *, at: datetime) -> list[dict[str, Any]] | None:
        """The plan with this attempt on another day; None if it may be made now."""
        row, source, zone = request.obligation, str(request.instrument.id), request.obligation.person.zone
        attempt, rest = dict(request.attempt or {}), row.plan[1:]
        retries = self.retries.get(row.person_id, []) if request.counts_toward_caps else []
        if not self.fits(request):
            tomorrow = planning.next_day_retry_time(policy, at, zone)
            later = planning.next_allowed_time(policy, source, tomorrow, zone=zone, past_retries=retries)
            return _postpone(attempt | {"reason": planning.LIMITS}, rest, later)
        is_expected = request.reason == "due" or request.debit_key in self.counted_debits
        if is_expected or planning.is_retry_allowed(policy, source, at, zone=zone, past_retries=retries):
            return None
        later = planning.next_allowed_time(policy, source, at, zone=zone, past_retries=retries)
        return _postpone(attempt, rest, later)

    def reserve(self, request: DeductionRequest, *, at: datetime) -> None:
        self.debit_totals[request.debit_key] = self.debit_totals.get(request.debit_key, 0) + request.amount.minor
        self.taken_today[request.instrument.id] = self.taken_today.get(request.instrument.id, 0) + request.amount.minor
        if request.counts_toward_caps and request.debit_key not in self.counted_debits:
            self.counted_debits.add(request.debit_key)
            self.retries.setdefault(request.obligation.person_id, []).append(PastRetry(str(request.instrument.id), at))


def sort_due(due: Iterable[Obligation], *, at: datetime) -> SortedDue:
    """Check due obligations against spending limits, retry caps and quiet hours, the oldest debt first.

    The first attempt at what has just become due is allowed at any hour: the person expects it. Everything else waits
    for the end of quiet hours, and retries also for the caps; requests in one deduction count as one retry. What the
    limits do not allow is taken in full from the next instrument, or on another day.
    """
    rows = sorted(due, key=lambda row: (row.person_id, row.due_at, row.id))
    usable = queries.instruments_of(row.person_id for row in rows)
    policies = queries.retry_policies_at((row.order.service.retry_policy for row in rows), at)
    channels_out, allowance, result = queries.channels_in_outage(), _allowance(rows, usable, at=at), SortedDue()
    for row in rows:
        instruments = usable.get(row.person_id, [])
        request = _next_request(row, instruments, allowance)
        if request is None:
            (result.above_limits if instruments else result.without_instrument).append(row)
            continue
        if request.instrument.channel in channels_out:
            continue  # it has just become due: the next run pauses it
        if row.plan and request.attempt != row.plan[0]:
            result.rerouted[row] = [dict(request.attempt or {}), *row.plan[1:]]
        postponed = allowance.postponed_plan(request, policies[row.order.service.retry_policy], at=at)
        if postponed is not None:
            result.postponed[row] = postponed
            continue
        allowance.reserve(request, at=at)
        result.requests.append(request)
    return result


def _allowance(rows: Sequence[Obligation], usable: Mapping[UUID, Sequence[Instrument]], *, at: datetime) -> _Allowance:
    zones = {row.person_id: row.person.zone for row in rows}
    instruments = [instrument for owned in usable.values() for instrument in owned]
    return _Allowance(
        retries=queries.retries_of(zones, since=at - CAPS_LOOKBACK),
        taken_today=instrument_queries.taken_today(instruments, zones, at=at),
    )


def plans_after_failure(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, list[dict[str, Any]]]:
    """The new plan for each line of the planned deductions that failed, keyed by line."""
    planned = [line for line in lines if line.deduction.purpose == Deduction.Purpose.PLANNED]
    people = {line.deduction.person_id for line in planned}
    usable = queries.instruments_of(people)
    retries = queries.retries_of(people, since=at - CAPS_LOOKBACK)
    policies = queries.retry_policies_at((line.order.service.retry_policy for line in planned), at)
    past = queries.outcomes_of([line.obligation_id for line in planned])
    oldest, due_dates = _oldest_lines(planned), _effective_due_dates(planned, at=at)
    plans = {}
    for line in planned:
        deduction, obligation = line.deduction, line.obligation
        failure_class, zone = FailureClass(deduction.failure_class), ZoneInfo(obligation.person.zone)
        outcomes, today = past[line.obligation_id], at.astimezone(zone).date()
        situation = Situation(
            due_at=due_dates[line.id],
            at=at,
            zone=zone.key,
            sources=sources_of(usable.get(deduction.person_id, [])),
            amount=obligation.owed,
            past_retries=tuple(retries.get(deduction.person_id, ())),
            failed_source=str(deduction.instrument_id),
            sources_failed_today=frozenset(o.instrument_id for o in outcomes if o.at.astimezone(zone).date() == today),
            oldest_of_several=line.id in oldest,
            technical_failures=rules.streak_length([outcome.failure_class for outcome in outcomes], failure_class),
        )
        attempts = planning.attempts_after_failure(policies[line.order.service.retry_policy], failure_class, situation)
        plans[line.id] = [attempt.to_json() for attempt in attempts]
    return plans


def _effective_due_dates(lines: Sequence[DeductionLine], *, at: datetime) -> dict[UUID, datetime]:
    """When each line was due, plus the time its order was paused since: retry days count from there.

    A late fee uses the pause of the debt it was deducted with.
    """
    rows = [(line, line.obligation) for line in lines]
    paused = {line.id: row.paused_duration(grace=line.order.grace, zone=row.person.zone, at=at) for line, row in rows}
    debts = {line.order_id: paused[line.id] for line, row in rows if row.kind in Obligation.AGEING}
    fees = {line.id: debts.get(line.order_id, paused[line.id]) for line, row in rows if row.kind not in row.AGEING}
    return {line.id: row.due_at + max(paused[line.id], fees.get(line.id, paused[line.id])) for line, row in rows}


@transaction.atomic
def move_next_attempt(obligation_id: UUID, to: datetime, *, at: datetime) -> None:
    """Move the next attempt to another day, once and within the policy, with the late fees planned for the same time.

    Raises:
        NotFound: there is no such obligation.
        DeductionInFlight: the attempt is being made.
        MovedAlready, NothingPlanned: it was moved before; there is nothing to move.
        CannotMove: the policy does not allow that date.
    """
    row = orders.lock_obligation(obligation_id)
    policy = _policy_of(row, at=at)
    planned = [datetime.fromisoformat(attempt["at"]) for attempt in row.plan]
    if row.moved_at is not None:
        raise MovedAlready
    if not planned or row.paused_at is not None:
        raise NothingPlanned
    if not planning.can_move(policy, planned, to, at=at):
        raise CannotMove
    reason = "due_moved" if row.plan[0]["reason"] == "due" else "moved"
    when = planning.after_quiet_hours(policy, to, row.person.zone)
    moved = _postpone(row.plan[0] | {"reason": reason}, row.plan[1:], when)
    fees = row.order.obligations.filter(kind=Obligation.Kind.LATE_FEE, state__in=Obligation.OWED, in_flight=None)
    fees = fees.exclude(pk=row.pk).select_for_update(of=("self",), no_key=True).order_by("pk")
    along = [fee for fee in fees if fee.by_hand == row.by_hand and fee.plan and fee.plan[0]["at"] == row.plan[0]["at"]]
    orders.replace_plans(dict.fromkeys((row, *along), moved), why=Plan.Why.MOVED, at=at, moved=True)


def plan_from_instrument(instrument: Instrument, *, old_limits: Limits | None = None, at: datetime) -> None:
    """Plan what the person owes without a plan from an instrument that can now pay it, outside quiet hours.

    With `old_limits` its limits were raised: only obligations that those did not allow are planned.
    """
    (source,) = sources_of([instrument])
    reason = "new_instrument" if old_limits is None else "limits_raised"
    plans = {}
    for row in orders.lock_unplanned_of(instrument.person_id):
        if source.limits.allows(row.owed) and not (old_limits and old_limits.allows(row.owed)):
            when = planning.after_quiet_hours(_policy_of(row, at=at), at, row.person.zone)
            plans[row] = row.plan_as_of_pause([planning.PlannedAttempt(when, source, reason).to_json()], at=at)
    if plans:
        orders.replace_plans(plans, why=Plan.Why.OTHER_INSTRUMENT, at=at)


def replan_for_instruments(person_id: UUID, *, at: datetime) -> None:
    """Update planned attempts after a change of the person's instruments or their order.

    Obligations being claimed right now are skipped: their instrument is chosen again when they are due.
    """
    usable, plans = queries.instruments_of([person_id]).get(person_id, []), {}
    for row in orders.lock_planned_of(person_id):
        plan = planning.reassign_sources(row.plan, sources_of(instrument_queries.within_limits(usable, row.owed)))
        if plan != row.plan:
            plans[row] = plan
    if plans:
        orders.replace_plans(plans, why=Plan.Why.OTHER_INSTRUMENT, at=at)


def sources_of(instruments: Sequence[Instrument]) -> tuple[Source, ...]:
    return tuple(Source(str(instrument.id), instrument.label, instrument.limits) for instrument in instruments)


def _policy_of(row: Obligation, *, at: datetime) -> Policy:
    name = row.order.service.retry_policy
    return queries.retry_policies_at([name], at)[name]


def _next_request(row: Obligation, usable: Sequence[Instrument], allowance: _Allowance) -> DeductionRequest | None:
    """The due attempt from the planned instrument if its limits allow it today, else from the first that does.

    If none does today, the planned instrument on another day; None if no instrument's limits ever allow the amount.
    """
    fits = instrument_queries.within_limits(usable, row.owed)
    due = {"at": row.due_at.isoformat(), "instrument": None, "reason": "due"}
    attempt: dict[str, Any] = row.plan[0] if row.plan else due
    planned = instrument_queries.instrument_for_attempt(attempt, fits)
    if planned is None:
        return None
    candidates = [DeductionRequest(row, i, row.owed, _with_instrument(attempt, i)) for i in (planned, *fits)]
    return next((request for request in candidates if allowance.fits(request)), candidates[0])


def _with_instrument(attempt: Mapping[str, Any], instrument: Instrument) -> dict[str, Any]:
    """The attempt with this instrument; one that names no instrument stays that way."""
    if attempt.get("source") in (None, str(instrument.id)):
        return dict(attempt)
    return {**attempt, "instrument": instrument.label, "source": str(instrument.id)}


def _postpone(attempt: Mapping[str, Any], rest: Iterable[Mapping[str, Any]], when: datetime) -> list[dict[str, Any]]:
    """A plan with its first attempt at another time, without the attempts that would now precede it."""
    after = [dict(other) for other in rest if datetime.fromisoformat(other["at"]) > when]
    return [{**attempt, "at": when.isoformat()}, *after]


def _oldest_lines(lines: Sequence[DeductionLine]) -> set[UUID]:
    """The first line, which is the oldest debt, of each deduction for more than one order."""
    groups: dict[UUID, list[DeductionLine]] = {}
    for line in lines:
        groups.setdefault(line.deduction_id, []).append(line)
    several = (group for group in groups.values() if len({line.order_id for line in group}) > 1)
    return {min(line.id for line in group) for group in several}
