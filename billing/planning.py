"""The plan of attempts: when, from what and why, computed from a published policy. Pure."""

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


class Kind(StrEnum):
    """Class of an attempt's end: what may follow it."""

    HARD = "hard"  # closed account, revoked mandate, fraud: never again on this instrument
    SOFT = "soft"  # no funds, limit: later, or elsewhere
    TECHNICAL = "technical"  # the channel's own trouble: soon
    NOT_SENT = "not_sent"  # the channel is sure that nothing arrived: soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A version of how debts are collected. Data: staff publish another version, and it counts from its day on."""

    #: Days after the due time on which what is unpaid is tried again, and the local hour.
    retry_days: tuple[int, ...] = (1, 3, 5, 7, 10, 14, 21, 30, 45, 60, 75, 90)
    retry_hour: int = 10
    #: No automatic retry between these local hours.
    quiet_from: int = 22
    quiet_until: int = 7
    #: Retries from one instrument, a local day and in any 30 days; retries of one person a local day.
    instrument_a_day: int = 1
    instrument_in_30_days: int = 15
    person_a_day: int = 2
    #: Days of the month on which wages arrive: a retry up to `payday_reach` days before one waits for it.
    paydays: tuple[int, ...] = ()
    payday_reach: int = 2
    #: Whether retries keep to working days of this country's calendar.
    business_days_of: str = ""
    #: Whether a soft decline is followed at once by the next instrument.
    switch_on_soft: bool = True
    #: Minutes after the channel's own trouble, one after the other; then as the days have it.
    technical_minutes: tuple[int, ...] = (10, 30, 120)
    #: By how many days a person may move a planned date, once.
    move_days_max: int = 7


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a person lets be taken from an instrument at once and on one day (minor units), where they said so.

    Limits are in one currency. What is asked for in another could not be held against them, and is not taken.
    """

    most: int | None = None
    a_day: int | None = None
    currency: str = "CNY"

    def __bool__(self) -> bool:
        return self.most is not None or self.a_day is not None

    def allow(self, amount: Money, *, beside: int = 0, today: int = 0) -> bool:
        """Whether this may be taken `beside` what else is in the debit, after what went or is on its way `today`."""
        if not self:
            return True
        at_once, by_night = beside + amount.minor, today + amount.minor
        return (
            amount.currency == self.currency
            and (self.most is None or at_once <= self.most)
            and (self.a_day is None or by_night <= self.a_day)
        )


@dataclass(frozen=True, slots=True)
class Source:
    """An instrument that may be charged, in the order in which the person wants it."""

    id: str
    label: str
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Tried:
    """An automatic retry that was made for this person."""

    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """What a plan is made from."""

    due_at: datetime
    at: datetime
    zone: str
    sources: tuple[Source, ...]
    #: What is to be taken; an instrument whose limits it passes even by itself is none of the plan.
    amount: Money = NOTHING
    #: Retries of this person, of any order, in the last 30 days.
    tried: tuple[Tried, ...] = ()
    #: The instrument that failed just now, and all that failed this debt today.
    failed: str = ""
    failed_today: frozenset[str] = frozenset()
    #: Whether it was a debit for several debts of which this is the oldest: it may be small enough by itself.
    oldest_of_several: bool = False
    #: How many of the latest outcomes in a row were the channel's own trouble.
    troubles: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """An attempt to come."""

    at: datetime
    source: Source
    reason: str

    def plain(self) -> dict[str, str]:
        """As it is stored and shown."""
        return {
            "at": self.at.isoformat(),
            "instrument": self.source.label,
            "source": self.source.id,
            "reason": self.reason,
        }


@dataclass(slots=True)
class _Budget:
    """What the caps still allow, counting what was tried and what is planned."""

    policy: Policy
    zone: ZoneInfo
    tried: list[Tried] = field(default_factory=list)

    def allows(self, source: str, at: datetime) -> bool:
        day = at.astimezone(self.zone).date()
        same_day = [t for t in self.tried if t.at.astimezone(self.zone).date() == day]
        month = [t for t in self.tried if t.source == source and abs(t.at - at) < timedelta(days=30)]
        return (
            sum(t.source == source for t in same_day) < self.policy.instrument_a_day
            and len(same_day) < self.policy.person_a_day
            and len(month) < self.policy.instrument_in_30_days
        )


def after_failure(policy: Policy, kind: Kind, now: Situation) -> list[Planned]:
    """The attempts to come after one failed: first what the failure itself calls for, then the policy's days."""
    now = replace(now, sources=tuple(source for source in now.sources if source.limits.allow(now.amount)))
    if not now.sources:
        return []
    budget = _Budget(policy, ZoneInfo(now.zone), list(now.tried))
    plan: list[Planned] = []
    for planned in (*_at_once(policy, kind, now), *_days(policy, now)):
        fits = planned.reason in _UNCOUNTED or budget.allows(planned.source.id, planned.at)
        if fits and all(planned.at != other.at for other in plan):
            plan.append(planned)
            budget.tried.append(Tried(planned.source.id, planned.at))
    plan.sort(key=lambda planned: planned.at)
    if plan and kind is Kind.SOFT and now.oldest_of_several and plan[0].reason != "next_instrument":
        plan[0] = replace(plan[0], reason=SPLIT)
    return plan


#: A debit of the oldest debt alone, after one for several was more than was there.
SPLIT = "split"
#: An attempt that a limit of the person's put off to another day.
LIMITS = "limits"
#: Attempts from whatever the person wants to pay from first; the others name what they name for a reason of their own.
_FROM_THE_FIRST = ("retry_", "moved", "due_moved", LIMITS)
#: Repeats of an attempt that never took place: the caps on asking a person's bank do not count them.
_UNCOUNTED = {"channel_trouble"}


def allowed(policy: Policy, source: str, at: datetime, *, zone: str, tried: Iterable[Tried]) -> bool:
    """Whether a retry may be made now: the hour is not quiet, and no cap is reached."""
    return awake(policy, at, zone) == at and _Budget(policy, ZoneInfo(zone), list(tried)).allows(source, at)


def next_allowed(policy: Policy, source: str, at: datetime, *, zone: str, tried: Iterable[Tried]) -> datetime:
    """The first time from now on at which a retry may be made: now, this morning, or a later one."""
    budget, local = _Budget(policy, ZoneInfo(zone), list(tried)), at.astimezone(ZoneInfo(zone))
    moment = awake(policy, at, zone)
    for days in range(1, 32):
        if budget.allows(source, moment):
            break
        day = local.date() + timedelta(days=days)
        moment = datetime.combine(day, time(policy.retry_hour), local.tzinfo).astimezone(at.tzinfo)
    return moment


def awake(policy: Policy, moment: datetime, zone: str) -> datetime:
    """The moment itself, or the end of the quiet hours it falls into."""
    local = moment.astimezone(ZoneInfo(zone))
    if policy.quiet_until <= local.hour < policy.quiet_from:
        return moment
    day = local.date() if local.hour < policy.quiet_until else local.date() + timedelta(days=1)
    return datetime.combine(day, time(policy.quiet_until), local.tzinfo).astimezone(moment.tzinfo)


def next_day(policy: Policy, at: datetime, zone: str) -> datetime:
    """The hour of retries on the person's next day."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=1)
    return datetime.combine(day, time(policy.retry_hour), local.tzinfo).astimezone(at.tzinfo)


def followed(plan: Sequence[Mapping[str, Any]], sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The same attempts from what the person has now: the first in line, or what is named where it still may be."""
    known, made = {source.id for source in sources}, []
    for attempt in plan:
        named, from_first = attempt.get("source"), attempt["reason"].startswith(_FROM_THE_FIRST)
        again = {"instrument": sources[0].label, "source": sources[0].id} if sources else {}
        made.append({**attempt, **(again if named and (from_first or named not in known) else {})})
    return made


def may_move(policy: Policy, planned: Sequence[datetime], to: datetime, *, at: datetime) -> bool:
    """Whether a person may move the next planned attempt to this time: later than it is, and not by too much."""
    return bool(planned) and max(planned[0], at) < to <= planned[0] + timedelta(days=policy.move_days_max)


def _at_once(policy: Policy, kind: Kind, now: Situation) -> Iterator[Planned]:
    others = [source for source in now.sources if source.id not in now.failed_today | {now.failed}]
    if others and (kind is Kind.HARD or (kind is Kind.SOFT and policy.switch_on_soft)):
        yield Planned(awake(policy, now.at, now.zone), others[0], "next_instrument")
    elif kind is Kind.SOFT and now.oldest_of_several:
        same = next((source for source in now.sources if source.id == now.failed), now.sources[0])
        yield Planned(awake(policy, now.at, now.zone), same, SPLIT)
    elif kind in (Kind.TECHNICAL, Kind.NOT_SENT) and 0 < now.troubles <= len(policy.technical_minutes):
        wait = timedelta(minutes=policy.technical_minutes[now.troubles - 1])
        same = next((source for source in now.sources if source.id == now.failed), now.sources[0])
        yield Planned(awake(policy, now.at + wait, now.zone), same, "channel_trouble")


def _days(policy: Policy, now: Situation) -> Iterator[Planned]:
    """The policy's days that are still to come, each from the instrument the person wants first."""
    zone = ZoneInfo(now.zone)
    due_on = now.due_at.astimezone(zone).date()
    for days in policy.retry_days:
        day = _aligned(policy, due_on + timedelta(days=days))
        at = datetime.combine(day, time(policy.retry_hour), zone).astimezone(now.at.tzinfo)
        if at > now.at:
            yield Planned(awake(policy, at, now.zone), now.sources[0], f"retry_{days}d")


def _aligned(policy: Policy, day: date) -> date:
    """The day itself, a payday close after it, or the next working day."""
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
    """Whether wages come on this day; those of the 31st come on the last day of a shorter month."""
    last = monthrange(day.year, day.month)[1]
    return any(min(payday, last) == day.day for payday in policy.paydays)


@lru_cache(maxsize=64)  # drawing one up takes milliseconds, and a plan asks for one a day
def _calendar(country: str, year: int) -> holidays.HolidayBase:
    """The country's holidays of this year and the next."""
    return holidays.country_holidays(country, years=(year, year + 1))
