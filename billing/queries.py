from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from msgspec import convert

from billing.models import Deduction, DeductionLine, Instrument, Outage, RetryPolicy, Wallet, WalletEntry
from billing.planning import Policy, Tried
from kernel.money import Money
from orders.models import Obligation, Pause


@dataclass(frozen=True, slots=True)
class PolicyShelf:
    """A policy's versions, newest first, and the one that counts."""

    name: str
    now: RetryPolicy
    versions: Sequence[RetryPolicy]

    def marked(self) -> Iterator[tuple[RetryPolicy, str]]:
        """Each with how it stands: `now`, `coming`, `past`, or `never` if a newer one overtook it."""
        overtaken = datetime.max.replace(tzinfo=UTC)
        for row in self.versions:
            if row == self.now:
                yield row, "now"
            elif row.effective_from >= overtaken:
                yield row, "never"
            else:
                yield row, "coming" if row.version > self.now.version else "past"
            overtaken = min(overtaken, row.effective_from)


def instruments_of(person_ids: Iterable[UUID]) -> dict[UUID, list[Instrument]]:
    """What may be charged for each person, the first to try first."""
    found: dict[UUID, list[Instrument]] = {}
    rows = Instrument.objects.filter(person_id__in=set(person_ids), state=Instrument.State.ACTIVE)
    for row in rows.order_by("priority", "id"):
        found.setdefault(row.person_id, []).append(row)
    return found


def channels_out() -> set[str]:
    """The channels that are declared out now."""
    return set(Outage.objects.filter(ended_at__isnull=True).values_list("channel", flat=True))


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
    rows = RetryPolicy.objects.filter(Q(effective_from__lte=at) | Q(version=1), name__in=set(names))
    return {row.name: row for row in rows.order_by("name", "version")}


def policy_shelves(at: datetime) -> list[PolicyShelf]:
    """Every policy with its versions, the newest first, and how each of them stands at this moment."""
    names: dict[str, list[RetryPolicy]] = {}
    for row in RetryPolicy.objects.order_by("name", "-version"):
        names.setdefault(row.name, []).append(row)
    now = versions_at(names, at)
    return [PolicyShelf(name, now[name], rows) for name, rows in names.items()]


def retries_of(person_ids: Iterable[UUID], *, since: datetime) -> dict[UUID, tuple[Tried, ...]]:
    """The planned retries each person saw since then: what the caps count."""
    rows = Deduction.objects.filter(
        person_id__in=set(person_ids), prepared_at__gt=since, purpose=Deduction.Purpose.PLANNED
    )
    found: dict[UUID, list[Tried]] = {}
    for row in rows.exclude(reason__in=["due", "channel_trouble"]):
        found.setdefault(row.person_id, []).append(Tried(str(row.instrument_id), row.prepared_at))
    return {key: tuple(tried) for key, tried in found.items()}


def deductions_of_order(order_id: UUID) -> QuerySet[Deduction]:
    """Every attempt at the order, oldest first."""
    return Deduction.objects.filter(lines__order_id=order_id).select_related("instrument").order_by("id")


def collects_of(order_id: UUID, *, at: datetime) -> int:
    """How often in the last day somebody asked to collect this order now."""
    asked = Deduction.objects.filter(
        lines__order_id=order_id, purpose=Deduction.Purpose.COLLECT, prepared_at__gt=at - timedelta(days=1)
    )
    return asked.distinct().count()


def attempts_at(order_id: UUID) -> QuerySet[DeductionLine]:
    """Every attempt at the order and how much of it was for the order, newest first."""
    return DeductionLine.objects.filter(order_id=order_id).select_related("deduction__instrument").order_by("-id")


def source_of(attempt: Mapping[str, Any], usable: Sequence[Instrument]) -> Instrument | None:
    """The instrument a planned attempt names, if it may still be charged; else the person's first."""
    return next((i for i in usable if str(i.id) == attempt.get("source")), usable[0] if usable else None)


def balance_of(person_id: UUID) -> Money | None:
    """What the person's wallet holds; None while there is no wallet."""
    wallet = Wallet.objects.filter(pk=person_id).first()
    return Money(wallet.balance_minor, wallet.currency) if wallet else None


def entries_of(person_id: UUID) -> QuerySet[WalletEntry]:
    """What came into the person's wallet and went out of it, newest first."""
    return WalletEntry.objects.filter(person_id=person_id).order_by("-id")


def orders_paid_by(entries: Sequence[WalletEntry]) -> dict[UUID, DeductionLine]:
    """What each payment out of a wallet was for, by the entry's id. An entry's number is its deduction's."""
    numbers = {UUID(hex=entry.number): entry.id for entry in entries if entry.amount_minor < 0}
    lines = DeductionLine.objects.filter(deduction_id__in=numbers).select_related("order__merchant")
    return {numbers[line.deduction_id]: line for line in lines}
