"""Order totals, due dates, late fees, payment plans and ledger moves. Pure functions on plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from credit.rules import limit_in_currency
from kernel.money import BPS, Money
from ledger.accounts import DISPUTED, FEES, LATE_FEES, LOSSES, RECOVERIES, Account, Move

#: An unconfirmed order expires after this time.
CONFIRMATION_WINDOW = timedelta(days=30)
#: The latest due time after completion.
DUE_DELAY_MAX = timedelta(days=90)
#: Payment items or discounts as merchants send them: `name` and `amount`.
Lines: TypeAlias = Sequence[Mapping[str, Any]]
#: Until when after its end a problem with an order can be reported, and how many times.
REPORT_WINDOW = timedelta(days=90)
REPORTS_MAX = 3
#: The maximum length of a message, and how many messages can be sent before staff answer.
TEXT_MAX, UNANSWERED_MAX = 1000, 5
PROBLEMS = ("not_received", "not_as_agreed", "wrong_amount", "paid_already", "not_mine", "other")
#: The local hour at which instalments are due.
INSTALMENT_HOUR = 12
#: The longest plan that staff can grant.
STAFF_PARTS_MAX, STAFF_DAYS_MAX = 24, 365
#: Ageing buckets by days past the due day: minimum, label.
BUCKETS = ((91, "90+"), (61, "61-90"), (31, "31-60"), (1, "1-30"))


@dataclass(frozen=True, slots=True)
class LedgerTerms:
    """The ledger accounts and pricing terms of one order, fixed when it was opened."""

    receivable: Account
    pending: Account
    payable: Account
    is_advance: bool
    fee_bps: int


class TotalError(ValueError):
    """The total does not match its parts. `field` is a JSON pointer to the wrong field."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class AboveCeilingError(TotalError):
    """The total exceeds the ceiling."""


def net_total(items: Lines, discounts: Lines) -> int:
    """Σ items − Σ discounts (minor units)."""
    total: int = sum(line["amount"] for line in items) - sum(line["amount"] for line in discounts)
    return total


def compute_total(total: int | None, items: Lines, discounts: Lines, *, ceiling: int, default: int | None) -> int:
    """The order's total (minor units): Σ items − Σ discounts, or `total`, or `default`, the amount ordered.

    Raises:
        TotalError: no total is given, `total` and items disagree, there are discounts without items, or the result
            is negative or above the ceiling.
    """
    if discounts and not items:
        raise TotalError("Say the items that the discounts are taken off.", "/items")
    items_total, field = net_total(items, discounts) if items else None, "/items" if total is None else "/total"
    if total is None:
        total = default if items_total is None else items_total
    if total is None:
        raise TotalError("Say the total, or the items it is made of.", "/total")
    if items_total is not None and items_total != total:
        raise TotalError(f"The items less the discounts come to {items_total}, not {total}.", field)
    if total < 0:
        raise TotalError("The discounts are more than the items.", "/discounts")
    if total > ceiling:
        raise AboveCeilingError(f"The total {total} is above what was agreed, {ceiling}.", field)
    return total


def fee_of(amount: Money, terms: LedgerTerms) -> Money:
    return amount.bps(terms.fee_bps)


def fee_on_part(amount: Money, before: Money, terms: LedgerTerms) -> Money:
    """The fee on a part paid after `before`. Fees are computed on the running sum, so the parts add up exactly."""
    return fee_of(before + amount, terms) - fee_of(before, terms)


def completion_moves(total: Money, terms: LedgerTerms) -> list[Move]:
    """Completion: the person owes the total; the merchant is owed it now (advance) or once it is collected."""
    if not terms.is_advance:
        return [Move(terms.receivable, terms.pending, total)]
    return [Move(terms.receivable, terms.payable, total), Move(terms.payable, FEES, fee_of(total, terms))]


def reduction_moves(part: Money, kept: Money, terms: LedgerTerms) -> list[Move]:
    """The total was reduced by `part`: reverse what completion posted for it.

    A merchant paid at completion kept `kept` until now, and gets the fee on the reduced part back.
    """
    if not terms.is_advance:
        return [Move(terms.pending, terms.receivable, part)]
    fee = fee_of(kept, terms) - fee_of(kept - part, terms)
    return [Move(terms.payable, terms.receivable, part), Move(FEES, terms.payable, fee)]


def paid_elsewhere_moves(amount: Money, terms: LedgerTerms) -> list[Move]:
    """The person paid the merchant directly: that amount is no longer owed through the platform."""
    return [Move(terms.payable if terms.is_advance else terms.pending, terms.receivable, amount)]


def collection_moves(amount: Money, before: Money, clearing: Account, terms: LedgerTerms) -> list[Move]:
    """A payment of `amount` was collected, after `before` earlier."""
    moves = [Move(clearing, terms.receivable, amount)]
    if not terms.is_advance:
        moves += [
            Move(terms.pending, terms.payable, amount),
            Move(terms.payable, FEES, fee_on_part(amount, before, terms)),
        ]
    return moves


def accrual_moves(fee: Money, terms: LedgerTerms) -> list[Move]:
    """One day's late fee: the person owes it, and it is income."""
    return [Move(terms.receivable, LATE_FEES, fee)]


def fee_waiver_moves(fee: Money, terms: LedgerTerms, *, is_written_off: bool) -> list[Move]:
    """Reverse a late fee that was waived: it is not receivable any more, or, if it was written off, no loss of ours."""
    return [Move(LATE_FEES, LOSSES if is_written_off else terms.receivable, fee)]


def write_off_moves(amount: Money, terms: LedgerTerms, *, platform_liable: bool) -> list[Move]:
    """Write off a debt: our loss (`platform_liable`) or the merchant's, who had not been paid yet."""
    return [Move(LOSSES if platform_liable else terms.pending, terms.receivable, amount)]


def recovery_moves(
    amount: Money, before: Money, clearing: Account, terms: LedgerTerms, *, platform_liable: bool
) -> list[Move]:
    """A payment for a written-off debt: our income if the loss was ours, otherwise the merchant's, less the fee."""
    if platform_liable:
        return [Move(clearing, RECOVERIES, amount)]
    return [Move(clearing, terms.payable, amount), Move(terms.payable, FEES, fee_on_part(amount, before, terms))]


def refund_moves(amount: Money, kept: Money, due: Account, terms: LedgerTerms) -> list[Move]:
    """Refund `amount` out of `kept`, what the merchant still has of the payments, and return its share of the fee.

    The fee is computed on what the merchant keeps, so any number of partial refunds adds up exactly.
    """
    fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
    return [Move(terms.payable, due, amount), Move(FEES, terms.payable, fee)]


def refund_failed_moves(amount: Money, kept: Money, due: Account, terms: LedgerTerms) -> list[Move]:
    """The refund failed: reverse `refund_moves`. `kept` is what the merchant has without this amount."""
    fee = fee_of(kept + amount, terms) - fee_of(kept, terms)
    return [Move(due, terms.payable, amount), Move(terms.payable, FEES, fee)]


def owed_again_moves(amount: Money, kept: Money, terms: LedgerTerms) -> list[Move]:
    """A channel returned `amount` of `kept`: the person owes it again, and the merchant is owed it once it is paid."""
    moves = [Move(terms.receivable, DISPUTED, amount)]
    if not terms.is_advance:
        fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
        moves += [Move(terms.payable, terms.pending, amount), Move(FEES, terms.payable, fee)]
    return moves


def merchant_loss_moves(amount: Money, kept: Money, terms: LedgerTerms) -> list[Move]:
    """A channel returned `amount` of `kept`, and the merchant is liable; they get the fee on it back."""
    fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
    return [Move(terms.payable, DISPUTED, amount), Move(FEES, terms.payable, fee)]


def refund_payout_moves(amount: Money, due: Account, clearing: Account) -> list[Move]:
    """The channel has paid the refund out to the person."""
    return [Move(due, clearing, amount)]


def bucket_of(days: int) -> str:
    """The ageing bucket for a number of days past the due day."""
    return next((name for minimum, name in BUCKETS if days >= minimum), "")


def accrue_fee_units(units: int, unpaid_minor: int, daily_bps: int, *, cap_minor: int) -> tuple[int, int]:
    """Add one day's late fee. Returns the fee units so far (1/10,000 minor) and the whole fee, rounded down and capped.

    Simple interest on the unpaid principal, never on fees. If the cap was lowered together with the total, the fee
    stops there; what has accrued stays.
    """
    units = max(units, min(units + unpaid_minor * daily_bps, cap_minor * BPS))
    return units, units // BPS


def remaining_cap(cap_minor: int, charged_units: int) -> int:
    """What the cap of an order leaves for one part when the other parts have accrued `charged_units`."""
    return max(0, cap_minor + -charged_units // BPS)


def next_midnight(at: datetime, zone: str) -> datetime:
    """The end of the person's local day that contains `at`."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=1)
    return datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(at.tzinfo)


@dataclass(frozen=True, slots=True)
class HardshipTerms:
    """Which payment plans are granted without review."""

    #: Allowed numbers of instalments, and days between them.
    parts: tuple[int, ...]
    every_days: tuple[int, ...]
    #: The last instalment is due at most so many days from now; the minimum amount of each.
    days_max: int
    part_min_minor: int
    #: Minimum days between two plans that one person is granted without review.
    apart_days: int


@dataclass(frozen=True, slots=True, order=True)
class PlanOffer:
    """A payment plan: the number of instalments and the days between them; the first is due after `every_days`."""

    parts: int
    every_days: int


def _meets_part_minimum(owed: Money, parts: int, terms: HardshipTerms) -> bool:
    """Whether each of so many instalments reaches the minimum amount."""
    return owed.minor // parts >= limit_in_currency(terms.part_min_minor, owed.currency)


def plan_offers(terms: HardshipTerms, sums: Sequence[Money]) -> list[PlanOffer]:
    """The plans granted without review to a person who owes these sums, the fewest instalments first."""
    if not sums:
        return []
    return sorted(
        PlanOffer(parts, days)
        for parts in terms.parts
        for days in terms.every_days
        if parts * days <= terms.days_max and all(_meets_part_minimum(sum_, parts, terms) for sum_ in sums)
    )


def split_evenly(minor: int, parts: int) -> list[int]:
    """Split the amount into parts that differ by one minor unit at most, the larger ones first."""
    share, rest = divmod(minor, parts)
    return [share + (part < rest) for part in range(parts)]


def allocate_to_parts(debts: Sequence[int], parts: int) -> list[list[int]]:
    """How much of each debt falls into each instalment: the oldest debts first, with instalments of equal size."""
    left = split_evenly(sum(debts), parts)
    allocation, part = [], 0
    for debt in debts:
        row, rest = [0] * parts, debt
        while rest:
            taken = min(rest, left[part])
            row[part] += taken
            rest -= taken
            left[part] -= taken
            part += not left[part] and part + 1 < parts
        allocation.append(row)
    return allocation


def instalment_dates(offer: PlanOffer, at: datetime, zone: str) -> list[datetime]:
    """When each instalment of a plan agreed at `at` is due: at a fixed hour of the person's day."""
    local = at.astimezone(ZoneInfo(zone))
    days = (local.date() + timedelta(days=offer.every_days * part) for part in range(1, offer.parts + 1))
    return [datetime.combine(day, time(INSTALMENT_HOUR), local.tzinfo).astimezone(at.tzinfo) for day in days]


def days_between(first: datetime, last: datetime, zone: str) -> int:
    """Calendar days between two times, in the person's time zone."""
    tz = ZoneInfo(zone)
    return (last.astimezone(tz).date() - first.astimezone(tz).date()).days
