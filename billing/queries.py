"""Queries of billing: payment methods, retry policies, attempts, wallets and refunds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from msgspec import convert

from billing import instrument_queries, rules
from billing.models import (
    Deduction,
    DeductionLine,
    Dispute,
    DisputeLine,
    Instrument,
    Outage,
    Refund,
    RefundPart,
    RetryPolicy,
    Wallet,
    WalletEntry,
)
from billing.planning import PastRetry, Policy, after_quiet_hours, can_move
from kernel.money import Money
from kernel.policy_versions import with_status
from kernel.prepared_statements import PreparedQuery
from orders.models import Obligation, Pause

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class UpcomingAttempt:
    """A future attempt to collect an order: when, why, and from which instrument, as far as that is known today."""

    at: datetime
    reason: str
    instrument: Instrument | None


#: Reasons of attempts that the retry caps do not count: the first one, on the due date or the day the person chose
#: instead, and repeats of an attempt that never took place.
UNCAPPED_REASONS = ("due", "due_moved", "channel_trouble")

_ACTIVE_INSTRUMENTS = PreparedQuery(
    lambda people: Instrument.objects.filter(person_id__any=people, state=Instrument.State.ACTIVE).order_by(
        "priority", "id"
    ),
    ["uuid[]"],
)
_CHANNELS_IN_OUTAGE = PreparedQuery(lambda: Outage.objects.filter(ended_at__isnull=True).values_list("channel"), [])
_POLICY_VERSIONS = PreparedQuery(
    lambda at, names: RetryPolicy.objects.filter(Q(effective_from__lte=at) | Q(version=1), name__any=names).order_by(
        "name", "version"
    ),
    ["timestamptz", "text[]"],
)
_RETRIES = PreparedQuery(
    lambda people, since: (
        Deduction.objects.filter(person_id__any=people, prepared_at__gt=since, purpose=Deduction.Purpose.PLANNED)
        .exclude(reason__in=UNCAPPED_REASONS)
        .order_by("id")
        .values_list("person_id", "instrument_id", "prepared_at")
    ),
    ["uuid[]", "timestamptz"],
)
_OUTCOMES = PreparedQuery(
    lambda keys: (
        DeductionLine.objects.filter(obligation_id__any=keys, live=False)
        .order_by("-id")
        .values_list("obligation_id", "deduction__instrument_id", "deduction__failure_class", "deduction__prepared_at")
    ),
    ["uuid[]"],
)


@dataclass(frozen=True, slots=True)
class PolicyHistory:
    """A retry policy's versions, newest first, and the one in force."""

    name: str
    current: RetryPolicy
    versions: Sequence[RetryPolicy]

    def with_status(self) -> Iterator[tuple[RetryPolicy, str]]:
        return with_status(self.versions, self.current)


def instruments_of(person_ids: Iterable[UUID]) -> dict[UUID, list[Instrument]]:
    """The active instruments of each person, in the order in which they are tried."""
    found: dict[UUID, list[Instrument]] = {}
    for row in _ACTIVE_INSTRUMENTS.rows(list(set(person_ids))):
        found.setdefault(row.person_id, []).append(row)
    return found


def channels_in_outage() -> set[str]:
    """The channels that are declared to be in outage."""
    return {channel for (channel,) in _CHANNELS_IN_OUTAGE.rows()}


def count_paused_by_outage(*, limit: int) -> int:
    """How many orders are paused because of an outage, counted up to `limit`."""
    return Pause.objects.filter(reason=Pause.Reason.OUTAGE, ended_at__isnull=True)[:limit].count()


def count_debts_on_channel(channel: str, *, limit: int) -> int:
    """How many debts are owed by people who have an instrument of this channel, counted up to `limit`."""
    on_channel = Instrument.objects.filter(person=OuterRef("person"), channel=channel, state=Instrument.State.ACTIVE)
    return Obligation.objects.filter(Exists(on_channel), state__in=Obligation.OWED)[:limit].count()


def retry_policies_at(names: Iterable[str], at: datetime) -> dict[str, Policy]:
    """The terms of each named policy that are in force at this time."""
    return {name: convert(row.terms, Policy) for name, row in policy_versions_at(names, at).items()}


def policy_versions_at(names: Iterable[str], at: datetime) -> dict[str, RetryPolicy]:
    """The version of each named policy that is in force at this time; before the first one's date, the first.

    So every policy has a version at every time, also for a sandbox whose clock was set back. A database constraint
    keeps services from naming a policy that does not exist.
    """
    return {row.name: row for row in _POLICY_VERSIONS.rows(at, list(set(names)))}


def policy_histories(at: datetime) -> list[PolicyHistory]:
    """Every policy with its versions, the newest first, and the one in force at this time."""
    names: dict[str, list[RetryPolicy]] = {}
    for row in RetryPolicy.objects.order_by("name", "-version"):
        names.setdefault(row.name, []).append(row)
    current = policy_versions_at(names, at)
    return [PolicyHistory(name, current[name], rows) for name, rows in names.items()]


def retries_of(person_ids: Iterable[UUID], *, since: datetime) -> dict[UUID, list[PastRetry]]:
    """Each person's planned retries since then that the retry caps count."""
    found: dict[UUID, list[PastRetry]] = {}
    for person_id, instrument_id, prepared_at in _RETRIES.rows(list(set(person_ids)), since):
        found.setdefault(person_id, []).append(PastRetry(str(instrument_id), prepared_at))
    return found


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """How an attempt at an obligation ended: its instrument, failure class, and when it was made."""

    instrument_id: str
    failure_class: str
    at: datetime


def outcomes_of(obligation_ids: Sequence[UUID]) -> dict[UUID, list[AttemptOutcome]]:
    """The outcomes of each obligation's attempts, newest first."""
    found: dict[UUID, list[AttemptOutcome]] = {key: [] for key in obligation_ids}
    for key, source, kind, at in _OUTCOMES.rows(list(obligation_ids)):
        found[key].append(AttemptOutcome(str(source), kind, at))
    return found


def collect_allowed_from(order_id: UUID, *, at: datetime) -> datetime | None:
    """When the order may be collected on request again; None if at once."""
    collects = Deduction.objects.filter(
        lines__order_id=order_id, purpose=Deduction.Purpose.COLLECT, prepared_at__gt=at - _A_DAY
    )
    last = sorted({row.id: row.prepared_at for row in collects}.values())[-rules.COLLECTS_A_DAY :]
    return last[0] + _A_DAY if len(last) == rules.COLLECTS_A_DAY else None


def attempts_of_order(order_id: UUID) -> QuerySet[DeductionLine]:
    """Every attempt at the order with the amount that was for the order, newest first."""
    return DeductionLine.objects.filter(order_id=order_id).select_related("deduction__instrument").order_by("-id")


def disputed_lines(lines: Iterable[DeductionLine]) -> set[UUID]:
    """Those of these lines whose deduction the bank returned, as long as the dispute is not decided.

    A disputed line counts as refunded meanwhile: runs no query when none of them is.
    """
    refunded = [line.id for line in lines if line.refunded_minor]
    rows = DisputeLine.objects.filter(taken_id__in=refunded, dispute__state__in=Dispute.LIVE)
    return set(rows.values_list("taken_id", flat=True))


def pay_now_deductions(person_id: UUID, deduction_ids: Iterable[UUID]) -> list[Deduction]:
    """Those of these deductions that the person started ("pay now"), with their lines, the oldest debt first."""
    lines = DeductionLine.objects.select_related("order__merchant", "obligation").order_by("id")
    rows = Deduction.objects.filter(person_id=person_id, pk__in=deduction_ids, purpose=Deduction.Purpose.PAY_NOW)
    return list(rows.select_related("instrument").prefetch_related(Prefetch("lines", lines)).order_by("id"))


def debts_of(person_id: UUID) -> list[Obligation]:
    """Everything the person can pay, of all merchants, oldest first: the order in which it is paid."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.PAYABLE)
    return list(owed.select_related("order__merchant").order_by("due_at", "id"))


def upcoming_attempts(obligations: Iterable[Obligation], usable: Sequence[Instrument]) -> list[UpcomingAttempt]:
    """The planned attempts at an order, the next first. A late fee is collected with its debt in one attempt.

    There are none while the order is paused.
    """
    planned: dict[tuple[str, str | None], tuple[Mapping[str, Any], Sequence[Instrument]]] = {}
    for row in (row for row in obligations if row.paused_at is None):
        instruments = instrument_queries.within_limits(usable, row.owed)
        for attempt in row.plan:
            planned.setdefault((attempt["at"], attempt.get("source")), (attempt, instruments))
    attempts = [
        UpcomingAttempt(
            datetime.fromisoformat(attempt["at"]),
            attempt["reason"],
            instrument_queries.instrument_for_attempt(attempt, instruments),
        )
        for attempt, instruments in planned.values()
    ]
    return sorted(attempts, key=lambda attempt: attempt.at)


def rescheduling_options(row: Obligation, policy: Policy, *, zone: str, at: datetime) -> list[datetime]:
    """The times to which the person may move the next attempt: other days within the policy's limit, at the same hour.

    Times in quiet hours move to their end. There are none if it was moved before, nothing is planned, or it is paused.
    """
    if not row.plan or row.moved_at is not None or row.paused_at is not None:
        return []
    planned = datetime.fromisoformat(row.plan[0]["at"])
    local = planned.astimezone(ZoneInfo(zone))
    days = (local + timedelta(days=days) for days in range(policy.move_days_max + 1))
    moments = (after_quiet_hours(policy, day.astimezone(planned.tzinfo), zone) for day in days)
    return [
        moment
        for moment in moments
        if can_move(policy, [planned], moment, at=at) and moment.astimezone(local.tzinfo).date() != local.date()
    ]


def wallet_balance(person_id: UUID) -> Money | None:
    """The balance of the person's wallet; None if they have none."""
    wallet = Wallet.objects.filter(pk=person_id).first()
    return Money(wallet.balance_minor, wallet.currency) if wallet else None


def wallet_entries_of(person_id: UUID) -> QuerySet[WalletEntry]:
    """The entries of the person's wallet, newest first."""
    return WalletEntry.objects.filter(person_id=person_id).order_by("-id")


def payment_lines_by_entry(entries: Sequence[WalletEntry]) -> dict[UUID, DeductionLine]:
    """By entry id, what each payment out of a wallet was for. The entry's number is its deduction's id."""
    entry_ids = {UUID(hex=entry.number): entry.id for entry in entries if entry.kind == WalletEntry.PAID}
    lines = DeductionLine.objects.filter(deduction_id__in=entry_ids).select_related("order__merchant")
    return {entry_ids[line.deduction_id]: line for line in lines}


def refunds_of(order_id: UUID) -> QuerySet[Refund]:
    """An order's refunds, newest first, each with its parts."""
    parts = Prefetch("parts", RefundPart.objects.select_related("taken").order_by("id"))
    return Refund.objects.filter(order_id=order_id).prefetch_related(parts).order_by("-id")
