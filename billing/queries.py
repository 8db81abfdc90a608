from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from msgspec import convert

from billing.models import Deduction, DeductionLine, Instrument, RetryPolicy, Wallet, WalletEntry
from billing.planning import Policy, Tried
from kernel.money import Money

#: Attempts the caps do not count: the first at what has just become due, and repeats of one that never took place.
UNCOUNTED = ("due", "channel_trouble")


def instruments_of(person_ids: Iterable[UUID]) -> dict[UUID, list[Instrument]]:
    """What may be charged for each person, the first to try first."""
    found: dict[UUID, list[Instrument]] = {}
    rows = Instrument.objects.filter(person_id__in=set(person_ids), state=Instrument.State.ACTIVE)
    for row in rows.order_by("priority", "id"):
        found.setdefault(row.person_id, []).append(row)
    return found


def policies_at(names: Iterable[str], at: datetime) -> dict[str, Policy]:
    """The version of each named policy that is in force."""
    rows = RetryPolicy.objects.filter(name__in=set(names), effective_from__lte=at)
    return {row.name: convert(row.terms, Policy) for row in rows.order_by("name", "version")}


def retries_of(person_ids: Iterable[UUID], *, since: datetime) -> dict[UUID, list[Tried]]:
    """The planned retries each person saw since then: what the caps count."""
    rows = Deduction.objects.filter(
        person_id__in=set(person_ids), prepared_at__gt=since, purpose=Deduction.Purpose.PLANNED
    )
    found: dict[UUID, list[Tried]] = {}
    columns = rows.exclude(reason__in=UNCOUNTED).order_by("id").values_list("person_id", "instrument_id", "prepared_at")
    for person_id, instrument_id, prepared_at in columns:
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
    rows = DeductionLine.objects.filter(obligation_id__in=obligation_ids, live=False).order_by("-id")
    columns = ("deduction__instrument_id", "deduction__failure_class", "deduction__prepared_at")
    for key, source, kind, at in rows.values_list("obligation_id", *columns):
        found[key].append(Outcome(str(source), kind, at))
    return found


def deductions_of_order(order_id: UUID) -> QuerySet[Deduction]:
    """Every attempt at the order, oldest first."""
    return Deduction.objects.filter(lines__order_id=order_id).select_related("instrument").order_by("id")


def attempts_at(order_id: UUID) -> QuerySet[DeductionLine]:
    """Every attempt at the order and how much of it was for the order, newest first."""
    return DeductionLine.objects.filter(order_id=order_id).select_related("deduction__instrument").order_by("-id")


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
