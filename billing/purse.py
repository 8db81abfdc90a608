"""Questions about what people pay from: which of it may take an amount, how much of a day is used, what leans on it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import Deduction, Instrument, Wallet
from billing.refusals import WalletTooLow
from credit.models import Agreement
from kernel.money import Money
from kernel.prepared import Question
from kernel.refusal import NotFound
from orders.models import Obligation, Order

#: Longer than any day of anybody's, the one with the hour twice among them.
A_DAY_AT_MOST = timedelta(hours=26)
#: Whoever removes an instrument holds its row for itself, and this waits for them; they wait for whoever asked this.
_HELD = Question(
    "SELECT id FROM billing_instrument WHERE id = ANY ($1) AND state <> 'removed' FOR KEY SHARE", ["uuid[]"]
)


def leans_on_something(person_id: UUID) -> bool:
    """Whether the person owes something that is still to be deducted, or is using something that they will owe."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED).exclude(plan=[])
    using = Order.objects.filter(person_id=person_id, state__in=[Order.State.CREATED, Order.State.OPEN])
    return owed.exists() or using.exists()


def source_of(attempt: Mapping[str, Any], usable: Sequence[Instrument]) -> Instrument | None:
    """The instrument a planned attempt names, if it may still be charged; else the person's first."""
    return next((i for i in usable if str(i.id) == attempt.get("source")), usable[0] if usable else None)


def all_held(instrument_ids: Collection[UUID]) -> bool:
    """Whether none of these was removed meanwhile, and none will be until the transaction ends."""
    return len(_HELD.rows(list(instrument_ids))) == len(instrument_ids)


def instruments_shown(person_id: UUID) -> list[Instrument]:
    """What the person has named to pay from, the first to try first; what the bank has closed comes last."""
    rows = Instrument.objects.filter(person_id=person_id).exclude(state=Instrument.State.REMOVED)
    return sorted(rows, key=lambda row: (row.state != Instrument.State.ACTIVE, row.priority, row.id))


def instrument_shown(person_id: UUID, instrument_id: UUID) -> Instrument:
    """One of those.

    Raises:
        NotFound: they have no such instrument.
    """
    row = next((row for row in instruments_shown(person_id) if row.id == instrument_id), None)
    if row is None:
        raise NotFound
    return row


def currencies_of(person_id: UUID) -> list[str]:
    """The currencies of the services the person has opened: what they may come to owe in."""
    signed = Agreement.objects.filter(person_id=person_id, activated_at__isnull=False)
    return sorted(set(signed.values_list("service__currency", flat=True)))


def closed_to(person_id: UUID) -> list[Instrument]:
    """What the bank has closed and the person has not removed yet: shown where they choose, and not to be chosen."""
    return list(Instrument.objects.filter(person_id=person_id, state=Instrument.State.DEAD).order_by("priority", "id"))


def fitting(usable: Iterable[Instrument], amount: Money) -> list[Instrument]:
    """Those of them whose limits let this amount be taken by itself."""
    return [row for row in usable if row.limits.allow(amount)]


def taken_today(usable: Iterable[Instrument], zones: Mapping[UUID, str], *, at: datetime) -> dict[UUID, int]:
    """What went today, or is on its way, from each of these that has a limit a day (minor units).

    A day is one of its person's, and what they paid by themselves is among it; what went in another currency than the
    limit's is not. Nobody limited, nothing asked.
    """
    limited = {row.id: row for row in usable if row.daily_minor is not None}
    if not limited:
        return {}
    rows = Deduction.objects.filter(
        instrument_id__in=limited,
        state__in=[*Deduction.LIVE, Deduction.State.SUCCEEDED],
        prepared_at__gt=at - A_DAY_AT_MOST,
    )
    found: dict[UUID, int] = {}
    told = rows.values_list("instrument_id", "person_id", "amount_minor", "currency", "prepared_at")
    for key, person_id, minor, currency, then in told:
        zone = ZoneInfo(zones[person_id])
        if currency == limited[key].limits.currency and then.astimezone(zone).date() == at.astimezone(zone).date():
            found[key] = found.get(key, 0) + minor
    return found


def check_wallet(person_id: UUID, instrument_id: UUID, sums: Iterable[Money]) -> None:
    """A person who pays from their wallet has so much in it.

    Raises:
        WalletTooLow: they have not. What is never asked for does not stand in their record as a payment that failed.
    """
    wallet = Wallet.objects.filter(
        pk=person_id, person__instruments=instrument_id, person__instruments__channel="wallet"
    )
    for held in wallet:
        if any(amount.minor > held.balance_minor for amount in sums if amount.currency == held.currency):
            raise WalletTooLow


def planned_from(rows: Sequence[Instrument], debts: Iterable[Obligation]) -> dict[UUID, datetime]:
    """When something is taken from each of these next, as planned."""
    usable = [row for row in rows if row.state == Instrument.State.ACTIVE]
    found: dict[UUID, datetime] = {}
    for debt in debts:
        source = source_of(debt.plan[0], fitting(usable, debt.owed)) if debt.plan else None
        if source is not None and debt.collect_at is not None:
            found[source.id] = min(debt.collect_at, found.get(source.id, debt.collect_at))
    return found
