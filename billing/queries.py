from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from msgspec import convert

from billing import purse, rules
from billing.models import (
    Deduction,
    DeductionLine,
    Instrument,
    Outage,
    Refund,
    RefundPart,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.planning import Policy, Tried, awake, may_move
from kernel.money import BPS, Money
from kernel.prepared import Reading
from kernel.versions import marked
from orders.models import Obligation, Order, Pause
from orders.queries import Sheet
from orders.rules import cap_left

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Coming:
    """An attempt to come at an order: when, why, and from where, as far as that can be said today."""

    at: datetime
    reason: str
    instrument: Instrument | None


@dataclass(frozen=True, slots=True)
class Late:
    """How an overdue order stands with its person: since when, how many days, and what its late fee is and becomes."""

    due_at: datetime
    since: datetime
    days: int
    fee: Money
    #: What is unpaid of what was bought, and what another day of that adds, rounded as money is.
    unpaid: Money
    daily: Money
    #: What the fee comes to at most: what was forgiven of it counts among what it ever may come to.
    cap: Money

    @property
    def capped(self) -> bool:
        return self.fee >= self.cap


#: Attempts the caps do not count: the first, at what has just become due or on the day the person chose instead, and
#: repeats of one that never took place.
UNCOUNTED = ("due", "due_moved", "channel_trouble")


_INSTRUMENTS = Reading(
    lambda people: Instrument.objects.filter(person_id__any=people, state=Instrument.State.ACTIVE).order_by(
        "priority", "id"
    ),
    ["uuid[]"],
)
_OUT = Reading(lambda: Outage.objects.filter(ended_at__isnull=True).values_list("channel"), [])
_VERSIONS = Reading(
    lambda at, names: RetryPolicy.objects.filter(Q(effective_from__lte=at) | Q(version=1), name__any=names).order_by(
        "name", "version"
    ),
    ["timestamptz", "text[]"],
)
_RETRIES = Reading(
    lambda people, since: (
        Deduction.objects.filter(person_id__any=people, prepared_at__gt=since, purpose=Deduction.Purpose.PLANNED)
        .exclude(reason__in=UNCOUNTED)
        .order_by("id")
        .values_list("person_id", "instrument_id", "prepared_at")
    ),
    ["uuid[]", "timestamptz"],
)
_OUTCOMES = Reading(
    lambda keys: (
        DeductionLine.objects.filter(obligation_id__any=keys, live=False)
        .order_by("-id")
        .values_list("obligation_id", "deduction__instrument_id", "deduction__failure_class", "deduction__prepared_at")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class PolicyShelf:
    """A policy's versions, newest first, and the one that counts."""

    name: str
    now: RetryPolicy
    versions: Sequence[RetryPolicy]

    def marked(self) -> Iterator[tuple[RetryPolicy, str]]:
        return marked(self.versions, self.now)


def instruments_of(person_ids: Iterable[UUID]) -> dict[UUID, list[Instrument]]:
    """What may be charged for each person, the first to try first."""
    found: dict[UUID, list[Instrument]] = {}
    for row in _INSTRUMENTS.rows(list(set(person_ids))):
        found.setdefault(row.person_id, []).append(row)
    return found


def channels_out() -> set[str]:
    """The channels that are declared out now."""
    return {channel for (channel,) in _OUT.rows()}


def standing_still(*, most: int) -> int:
    """How many orders stand still for an outage, counted up to `most`."""
    return Pause.objects.filter(reason=Pause.Reason.OUTAGE, ended_at__isnull=True)[:most].count()


def debts_near(channel: str, *, most: int) -> int:
    """How many debts are owed by people who have an instrument of this channel, counted up to `most`."""
    there = Instrument.objects.filter(person=OuterRef("person"), channel=channel, state=Instrument.State.ACTIVE)
    return Obligation.objects.filter(Exists(there), state__in=Obligation.OWED)[:most].count()


def policies_at(names: Iterable[str], at: datetime) -> dict[str, Policy]:
    """The version of each named policy that is in force."""
    return {name: convert(row.terms, Policy) for name, row in versions_at(names, at).items()}


def versions_at(names: Iterable[str], at: datetime) -> dict[str, RetryPolicy]:
    """The latest version of each named policy whose day has come; before the first one's day, the first.

    So every policy there is has an answer for every moment, also for a sandbox whose clock was set back; and PostgreSQL
    lets no service name a policy that there is not.
    """
    return {row.name: row for row in _VERSIONS.rows(at, list(set(names)))}


def policy_shelves(at: datetime) -> list[PolicyShelf]:
    """Every policy with its versions, the newest first, and how each of them stands at this moment."""
    names: dict[str, list[RetryPolicy]] = {}
    for row in RetryPolicy.objects.order_by("name", "-version"):
        names.setdefault(row.name, []).append(row)
    now = versions_at(names, at)
    return [PolicyShelf(name, now[name], rows) for name, rows in names.items()]


def retries_of(person_ids: Iterable[UUID], *, since: datetime) -> dict[UUID, list[Tried]]:
    """The planned retries each person saw since then: what the caps count."""
    found: dict[UUID, list[Tried]] = {}
    for person_id, instrument_id, prepared_at in _RETRIES.rows(list(set(person_ids)), since):
        found.setdefault(person_id, []).append(Tried(str(instrument_id), prepared_at))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt at an obligation ended: from which instrument, of which class, made when."""

    source: str
    kind: str
    at: datetime


def outcomes_of(obligation_ids: Sequence[UUID]) -> dict[UUID, list[Outcome]]:
    """The outcomes of each obligation's attempts, newest first."""
    found: dict[UUID, list[Outcome]] = {key: [] for key in obligation_ids}
    for key, source, kind, at in _OUTCOMES.rows(list(obligation_ids)):
        found[key].append(Outcome(str(source), kind, at))
    return found


def deductions_of_order(order_id: UUID) -> QuerySet[Deduction]:
    """Every attempt at the order, oldest first."""
    return Deduction.objects.filter(lines__order_id=order_id).select_related("instrument").order_by("id")


def collects_again(order_id: UUID, *, at: datetime) -> datetime | None:
    """From when on somebody may ask again to collect this order now; None at once."""
    asked = Deduction.objects.filter(
        lines__order_id=order_id, purpose=Deduction.Purpose.COLLECT, prepared_at__gt=at - _A_DAY
    )
    last = sorted({row.id: row.prepared_at for row in asked}.values())[-rules.COLLECTS_A_DAY :]
    return last[0] + _A_DAY if len(last) == rules.COLLECTS_A_DAY else None


def attempts_at(order_id: UUID) -> QuerySet[DeductionLine]:
    """Every attempt at the order and how much of it was for the order, newest first."""
    return DeductionLine.objects.filter(order_id=order_id).select_related("deduction__instrument").order_by("-id")


def deductions_of(person_id: UUID, deduction_ids: Iterable[UUID]) -> list[Deduction]:
    """Those of these deductions that the person made themselves, each with what it was for, the oldest debt first."""
    lines = DeductionLine.objects.select_related("order__merchant", "obligation").order_by("id")
    rows = Deduction.objects.filter(person_id=person_id, pk__in=deduction_ids, purpose=Deduction.Purpose.PAY_NOW)
    return list(rows.select_related("instrument").prefetch_related(Prefetch("lines", lines)).order_by("id"))


def debts_of(person_id: UUID) -> list[Obligation]:
    """Everything a person can pay, over all merchants, the oldest first: the order in which it is paid."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE)
    return list(owed.select_related("order__merchant").order_by("due_at", "id"))


def coming_of(obligations: Iterable[Obligation], usable: Sequence[Instrument]) -> list[Coming]:
    """The attempts to come at an order, the next first. A late fee is taken with its debt: that is one attempt.

    None comes while the clock stands still.
    """
    planned: dict[tuple[str, str | None], tuple[Mapping[str, Any], Sequence[Instrument]]] = {}
    for row in (row for row in obligations if row.paused_at is None):
        fits = purse.fitting(usable, row.owed)
        for attempt in row.plan:
            planned.setdefault((attempt["at"], attempt.get("source")), (attempt, fits))
    found = [
        Coming(datetime.fromisoformat(attempt["at"]), attempt["reason"], purse.source_of(attempt, fits))
        for attempt, fits in planned.values()
    ]
    return sorted(found, key=lambda coming: coming.at)


def late_of(sheet: Sheet) -> Late | None:
    """The overdue state of the order on this sheet; None while it is not overdue."""
    order = sheet.order
    if order.state != Order.State.OVERDUE or order.overdue_at is None:
        return None
    bought = [row for row in sheet.obligations if row.kind == Obligation.Kind.PRINCIPAL]
    charged = [row for row in sheet.obligations if row.kind == Obligation.Kind.LATE_FEE]
    fees = [row for row in charged if row.state != Obligation.State.WAIVED]
    late = [row for row in sheet.obligations if row.owed and row not in charged] or bought
    unpaid = Money(sum(row.owed.minor for row in bought if row.state == Obligation.State.OVERDUE), order.currency)
    fee, most = sum(row.amount_minor for row in fees), order.total.bps(order.late_fee_cap_bps).minor
    units = sum(row.fee_units for row in bought)
    room = [cap_left(most, units - row.fee_units) - row.fee_units // BPS for row in bought]
    return Late(
        due_at=min(row.due_at for row in late),
        since=order.overdue_at,
        days=max(row.overdue_days for row in late),
        fee=Money(fee, order.currency),
        unpaid=unpaid,
        daily=unpaid.bps(order.late_fee_daily_bps),
        cap=Money(fee + max([0, *room]), order.currency),
    )


def moves_of(row: Obligation, policy: Policy, *, zone: str, at: datetime) -> list[datetime]:
    """To when the person may move the next attempt: the other days in the policy's reach, at its time of day.

    What would fall into the night waits for its end. None when they have moved it before, nothing is planned, or its
    clock stands still.
    """
    if not row.plan or row.moved_at is not None or row.paused_at is not None:
        return []
    planned = datetime.fromisoformat(row.plan[0]["at"])
    local = planned.astimezone(ZoneInfo(zone))
    days = (local + timedelta(days=days) for days in range(policy.move_days_max + 1))
    moments = (awake(policy, day.astimezone(planned.tzinfo), zone) for day in days)
    return [
        moment
        for moment in moments
        if may_move(policy, [planned], moment, at=at) and moment.astimezone(local.tzinfo).date() != local.date()
    ]


def balance_of(person_id: UUID) -> Money | None:
    """What the person's wallet holds; None while there is no wallet."""
    wallet = Wallet.objects.filter(pk=person_id).first()
    return Money(wallet.balance_minor, wallet.currency) if wallet else None


def entries_of(person_id: UUID) -> QuerySet[WalletEntry]:
    """What came into the person's wallet and went out of it, newest first."""
    return WalletEntry.objects.filter(person_id=person_id).order_by("-id")


def orders_paid_by(entries: Sequence[WalletEntry]) -> dict[UUID, DeductionLine]:
    """What each payment out of a wallet was for, by the entry's id. An entry's number is its deduction's."""
    numbers = {UUID(hex=entry.number): entry.id for entry in entries if entry.kind == WalletEntry.PAID}
    lines = DeductionLine.objects.filter(deduction_id__in=numbers).select_related("order__merchant")
    return {numbers[line.deduction_id]: line for line in lines}


def refunds_of(order_id: UUID) -> QuerySet[Refund]:
    """An order's refunds, newest first, each with its parts."""
    parts = Prefetch("parts", RefundPart.objects.select_related("taken").order_by("id"))
    return Refund.objects.filter(order_id=order_id).prefetch_related(parts).order_by("-id")
