"""Queries about payment instruments: which may take an amount, how much was taken today, what still needs one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.models import Deduction, Instrument, Wallet
from billing.refusals import WalletTooLow
from credit.models import Agreement
from kernel.money import Money
from kernel.prepared_statements import PreparedStatement
from kernel.refusal import NotFound
from orders.models import Obligation, Order

#: Longer than any local day, including the 25-hour one at the end of daylight saving time.
LONGEST_DAY = timedelta(hours=26)
#: Conflicts with the row lock of a removal: a removal and a deduction from the same instrument wait for each other.
_LOCK_INSTRUMENTS = PreparedStatement(
    "SELECT id FROM billing_instrument WHERE id = ANY ($1) AND state <> 'removed' FOR KEY SHARE", ["uuid[]"]
)


def needs_instrument(person_id: UUID) -> bool:
    """Whether the person has a planned deduction to come, or an order in use that they will owe for."""
    owed = Obligation.objects.filter(person_id=person_id, state__in=Obligation.OWED).exclude(plan=[])
    using = Order.objects.filter(person_id=person_id, state__in=[Order.State.CREATED, Order.State.OPEN])
    return owed.exists() or using.exists()


def instrument_for_attempt(attempt: Mapping[str, Any], usable: Sequence[Instrument]) -> Instrument | None:
    """The instrument a planned attempt names if it is among the usable ones, else the first of those."""
    return next((i for i in usable if str(i.id) == attempt.get("source")), usable[0] if usable else None)


def lock_instruments(instrument_ids: Collection[UUID]) -> bool:
    """Lock these instruments against removal until the transaction ends. False if one was removed already."""
    return len(_LOCK_INSTRUMENTS.rows(list(instrument_ids))) == len(instrument_ids)


def visible_instruments(person_id: UUID) -> list[Instrument]:
    """The person's instruments that are not removed, in order of priority; those closed by the bank come last."""
    rows = Instrument.objects.filter(person_id=person_id).exclude(state=Instrument.State.REMOVED)
    return sorted(rows, key=lambda row: (row.state != Instrument.State.ACTIVE, row.priority, row.id))


def visible_instrument(person_id: UUID, instrument_id: UUID) -> Instrument:
    """One of the person's visible instruments.

    Raises:
        NotFound: the person has no such instrument.
    """
    row = next((row for row in visible_instruments(person_id) if row.id == instrument_id), None)
    if row is None:
        raise NotFound
    return row


def currencies_of(person_id: UUID) -> list[str]:
    """The currencies of the services the person has opened: those they may owe in."""
    signed = Agreement.objects.filter(person_id=person_id, activated_at__isnull=False)
    return sorted(set(signed.values_list("service__currency", flat=True)))


def closed_instruments(person_id: UUID) -> list[Instrument]:
    """The person's instruments that the bank has closed: shown where they choose one, but not selectable."""
    return list(Instrument.objects.filter(person_id=person_id, state=Instrument.State.DEAD).order_by("priority", "id"))


def within_limits(usable: Iterable[Instrument], amount: Money) -> list[Instrument]:
    """The instruments whose limits allow this amount as a single deduction."""
    return [row for row in usable if row.limits.allows(amount)]


def taken_today(usable: Iterable[Instrument], zones: Mapping[UUID, str], *, at: datetime) -> dict[UUID, int]:
    """Minor units taken or in flight today, for each instrument that has a daily limit.

    Days are local to the person. Payments the person made themselves count; amounts in another currency than the
    limit's do not. Runs no query when none of the instruments has a daily limit.
    """
    limited = {row.id: row for row in usable if row.daily_minor is not None}
    if not limited:
        return {}
    deductions = Deduction.objects.filter(
        instrument_id__in=limited,
        state__in=[*Deduction.LIVE, Deduction.State.SUCCEEDED],
        prepared_at__gt=at - LONGEST_DAY,
    )
    found: dict[UUID, int] = {}
    rows = deductions.values_list("instrument_id", "person_id", "amount_minor", "currency", "prepared_at")
    for key, person_id, minor, currency, taken_at in rows:
        zone = ZoneInfo(zones[person_id])
        if currency == limited[key].limits.currency and taken_at.astimezone(zone).date() == at.astimezone(zone).date():
            found[key] = found.get(key, 0) + minor
    return found


def require_wallet_balance(person_id: UUID, instrument_id: UUID, sums: Iterable[Money]) -> None:
    """Check that the balance covers these amounts, if the instrument is the person's wallet.

    Raises:
        WalletTooLow: it does not. Refusing here keeps a failed payment out of the person's record.
    """
    wallets = Wallet.objects.filter(
        pk=person_id, person__instruments=instrument_id, person__instruments__channel="wallet"
    )
    for wallet in wallets:
        if any(amount.minor > wallet.balance_minor for amount in sums if amount.currency == wallet.currency):
            raise WalletTooLow


def next_planned_deductions(rows: Sequence[Instrument], debts: Iterable[Obligation]) -> dict[UUID, datetime]:
    """When the next planned deduction is made from each of these instruments."""
    usable = [row for row in rows if row.state == Instrument.State.ACTIVE]
    found: dict[UUID, datetime] = {}
    for debt in debts:
        source = instrument_for_attempt(debt.plan[0], within_limits(usable, debt.owed)) if debt.plan else None
        if source is not None and debt.collect_at is not None:
            found[source.id] = min(debt.collect_at, found.get(source.id, debt.collect_at))
    return found
