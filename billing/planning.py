"""Plans of deduction attempts: when, from which instrument and why, computed from a retry policy. Pure functions."""

from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from kernel.money import Money

NOTHING = Money(0)


class FailureClass(StrEnum):
    """Why an attempt failed, which decides how it is retried."""

    HARD = "hard"  # closed account, revoked mandate, fraud: never retried on this instrument
    SOFT = "soft"  # no funds, limit: retried later, or on another instrument
    TECHNICAL = "technical"  # failure of the channel itself: retried soon
    NOT_SENT = "not_sent"  # the channel is certain that nothing arrived: retried soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The terms of a retry policy version. Stored as JSON: the field names are data."""

    #: Days after the due time on which what is unpaid is retried, and the local hour.
    retry_days: tuple[int, ...] = (1, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90)
    retry_hour: int = 10
    #: No automatic retry between these local hours.
    quiet_from: int = 22
    quiet_until: int = 7
    #: Caps: retries from one instrument a local day and in any 30 days; retries of one person a local day.
    instrument_a_day: int = 1
    instrument_in_30_days: int = 15
    person_a_day: int = 2
    #: Days of the month on which wages arrive: a retry up to `payday_reach` days before one moves to it.
    paydays: tuple[int, ...] = ()
    payday_reach: int = 2
    #: Whether retries keep to working days of this country's calendar.
    business_days_of: str = ""
    #: Whether a soft decline is followed at once by the next instrument.
    switch_on_soft: bool = True
    #: Minutes until each further retry after a failure of the channel; after the last of them `retry_days` apply.
    technical_minutes: tuple[int, ...] = (10, 30, 120)
    #: By how many days a person may move a planned date, once.
    move_days_max: int = 7


@dataclass(frozen=True, slots=True)
class Limits:
    """A person's spending limits for one instrument, per deduction and per day (minor units); None for no limit.

    Limits are in one currency. An amount in another cannot be compared with them and is not allowed.
    """

    most: int | None = None
    a_day: int | None = None
    currency: str = "CNY"

    def __bool__(self) -> bool:
        return self.most is not None or self.a_day is not None

    def allows(self, amount: Money, *, same_debit: int = 0, today: int = 0) -> bool:
        """Whether `amount` may be taken, given what else is in the deduction and what was taken or sent today."""
        if not self:
            return True
        in_debit, in_day = same_debit + amount.minor, today + amount.minor
        return (
            amount.currency == self.currency
            and (self.most is None or in_debit <= self.most)
            and (self.a_day is None or in_day <= self.a_day)
        )


@dataclass(frozen=True, slots=True)
class Source:
    """An instrument that may be charged; sequences of these are in the person's order of priority."""

    id: str
    label: str
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class PastRetry:
    """An automatic retry made for a person."""

    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts a plan is computed from after a failed attempt."""

    due_at: datetime
    at: datetime
    zone: str
    sources: tuple[Source, ...]
    #: What is owed; instruments whose limits do not allow it even in one deduction are left out of the plan.
    amount: Money = NOTHING
    #: Retries of this person, of any order, in the last 30 days.
    past_retries: tuple[PastRetry, ...] = ()
    #: The instrument that failed just now, and all that failed for this debt today.
    failed_source: str = ""
    sources_failed_today: frozenset[str] = frozenset()
    #: Whether the deduction was for several debts and this is the oldest: the balance may cover it alone.
    oldest_of_several: bool = False
    #: How many of the latest outcomes in a row were failures of the channel.
    technical_failures: int = 0


@dataclass(frozen=True, slots=True)
class PlannedAttempt:
    """A future attempt."""

    at: datetime
    source: Source
    reason: str

    def to_json(self) -> dict[str, str]:
        """As stored in `Obligation.plan` and shown by the API."""
        return {
            "at": self.at.isoformat(),
            "instrument": self.source.label,
            "source": self.source.id,
            "reason": self.reason,
        }


@dataclass(slots=True)
class _Budget:
    """What the caps still allow, counting past and planned retries."""

    policy: Policy
    zone: ZoneInfo
    past_retries: list[PastRetry] = field(default_factory=list)

    def allows(self, source: str, at: datetime) -> bool:
        day = at.astimezone(self.zone).date()
        same_day = [t for t in self.past_retries if t.at.astimezone(self.zone).date() == day]
        month = [t for t in self.past_retries if t.source == source and abs(t.at - at) < timedelta(days=30)]
        return (
            sum(t.source == source for t in same_day) < self.policy.instrument_a_day
            and len(same_day) < self.policy.person_a_day
            and len(month) < self.policy.instrument_in_30_days
        )


def attempts_after_failure(policy: Policy, failure: FailureClass, situation: Situation) -> list[PlannedAttempt]:
    """The attempts that follow a failed one: first an immediate retry if its class has one, then the policy's days."""
    sources = tuple(source for source in situation.sources if source.limits.allows(situation.amount))
    if not sources:
        return []
    situation = replace(situation, sources=sources)
    budget = _Budget(policy, ZoneInfo(situation.zone), list(situation.past_retries))
    plan: list[PlannedAttempt] = []
    for planned in (*_immediate_attempts(policy, failure, situation), *_scheduled_attempts(policy, situation)):
        fits = planned.reason in _UNCAPPED_REASONS or budget.allows(planned.source.id, planned.at)
        if fits and all(planned.at != other.at for other in plan):
            plan.append(planned)
            budget.past_retries.append(PastRetry(planned.source.id, planned.at))
    plan.sort(key=lambda planned: planned.at)
    if plan and failure is FailureClass.SOFT and situation.oldest_of_several and plan[0].reason != "next_instrument":
        plan[0] = replace(plan[0], reason=SPLIT)
    return plan


#: Reason of a deduction for the oldest debt alone, after one for several debts exceeded the balance.
SPLIT = "split"
#: Reason of an attempt postponed to another day by the person's spending limits.
LIMITS = "limits"
#: Reasons of attempts that always use the person's first instrument; the others keep the instrument they name.
_FROM_FIRST_SOURCE = ("retry_", "moved", "due_moved", LIMITS)
#: Reasons of retries that the caps do not count: they repeat an attempt that never took place.
_UNCAPPED_REASONS = {"channel_trouble"}


def is_retry_allowed(
    policy: Policy, source: str, at: datetime, *, zone: str, past_retries: Iterable[PastRetry]
) -> bool:
    """Whether a retry may be made now: outside quiet hours and within the caps."""
    budget = _Budget(policy, ZoneInfo(zone), list(past_retries))
    return after_quiet_hours(policy, at, zone) == at and budget.allows(source, at)


def next_allowed_time(
    policy: Policy, source: str, at: datetime, *, zone: str, past_retries: Iterable[PastRetry]
) -> datetime:
    """The first time from `at` on at which a retry may be made: now, the end of quiet hours, or a later day."""
    budget, local = _Budget(policy, ZoneInfo(zone), list(past_retries)), at.astimezone(ZoneInfo(zone))
    moment = after_quiet_hours(policy, at, zone)
    for days in range(1, 32):
        if budget.allows(source, moment):
            break
        day = local.date() + timedelta(days=days)
        moment = datetime.combine(day, time(policy.retry_hour), local.tzinfo).astimezone(at.tzinfo)
    return moment


def after_quiet_hours(policy: Policy, moment: datetime, zone: str) -> datetime:
    """The moment itself if it is outside quiet hours, else the end of those."""
    local = moment.astimezone(ZoneInfo(zone))
    if policy.quiet_until <= local.hour < policy.quiet_from:
        return moment
    day = local.date() if local.hour < policy.quiet_until else local.date() + timedelta(days=1)
    return datetime.combine(day, time(policy.quiet_until), local.tzinfo).astimezone(moment.tzinfo)


def next_day_retry_time(policy: Policy, at: datetime, zone: str) -> datetime:
    """The policy's retry hour on the person's next local day."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=1)
    return datetime.combine(day, time(policy.retry_hour), local.tzinfo).astimezone(at.tzinfo)


def reassign_sources(plan: Sequence[Mapping[str, Any]], sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The same attempts with current instruments: the person's first, or the named one if it is still usable."""
    source_ids, attempts = {source.id for source in sources}, []
    for attempt in plan:
        named, from_first = attempt.get("source"), attempt["reason"].startswith(_FROM_FIRST_SOURCE)
        first = {"instrument": sources[0].label, "source": sources[0].id} if sources else {}
        attempts.append({**attempt, **(first if named and (from_first or named not in source_ids) else {})})
    return attempts


def can_move(policy: Policy, planned: Sequence[datetime], to: datetime, *, at: datetime) -> bool:
    """Whether the next planned attempt may be moved to this time: later, and by no more than the policy allows."""
    return bool(planned) and max(planned[0], at) < to <= planned[0] + timedelta(days=policy.move_days_max)


def _immediate_attempts(policy: Policy, failure: FailureClass, situation: Situation) -> Iterator[PlannedAttempt]:
    """The attempt that the failure itself calls for: next instrument, oldest debt alone, or a repeat after minutes."""
    sources, at, zone = situation.sources, situation.at, situation.zone
    failed_today = situation.sources_failed_today | {situation.failed_source}
    others = [source for source in sources if source.id not in failed_today]
    same = next((source for source in sources if source.id == situation.failed_source), sources[0])
    minutes, failures = policy.technical_minutes, situation.technical_failures
    if others and (failure is FailureClass.HARD or (failure is FailureClass.SOFT and policy.switch_on_soft)):
        yield PlannedAttempt(after_quiet_hours(policy, at, zone), others[0], "next_instrument")
    elif failure is FailureClass.SOFT and situation.oldest_of_several:
        yield PlannedAttempt(after_quiet_hours(policy, at, zone), same, SPLIT)
    elif failure in (FailureClass.TECHNICAL, FailureClass.NOT_SENT) and 0 < failures <= len(minutes):
        later = at + timedelta(minutes=minutes[failures - 1])
        yield PlannedAttempt(after_quiet_hours(policy, later, zone), same, "channel_trouble")


def _scheduled_attempts(policy: Policy, situation: Situation) -> Iterator[PlannedAttempt]:
    """Attempts on the policy's remaining retry days, each from the person's first instrument."""
    zone = ZoneInfo(situation.zone)
    due_on = situation.due_at.astimezone(zone).date()
    for days in policy.retry_days:
        day = _align_day(policy, due_on + timedelta(days=days))
        at = datetime.combine(day, time(policy.retry_hour), zone).astimezone(situation.at.tzinfo)
        if at > situation.at:
            yield PlannedAttempt(after_quiet_hours(policy, at, situation.zone), situation.sources[0], f"retry_{days}d")


def _align_day(policy: Policy, day: date) -> date:
    """The day itself, a payday shortly after it, or the next working day."""
    for ahead in range(policy.payday_reach + 1):
        if _is_payday(policy, day + timedelta(days=ahead)):
            day += timedelta(days=ahead)
            break
    if policy.business_days_of:
        calendar = _calendar(policy.business_days_of, day.year)
        while not calendar.is_working_day(day):
            day += timedelta(days=1)
    return day


def _is_payday(policy: Policy, day: date) -> bool:
    """Whether wages arrive on this day; those of the 31st arrive on the last day of a shorter month."""
    last = monthrange(day.year, day.month)[1]
    return any(min(payday, last) == day.day for payday in policy.paydays)


@lru_cache(maxsize=64)  # building one takes milliseconds, and a plan needs one for each day
def _calendar(country: str, year: int) -> holidays.HolidayBase:
    """The country's holidays of this year and the next."""
    return holidays.country_holidays(country, years=(year, year + 1))
