"""What an order comes to and when it is owed. Pure arithmetic on plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from credit.rules import in_currency
from kernel.money import BPS, Money
from ledger.rules import DISPUTED, FEES, LATE_FEES, LOSSES, RECOVERIES, Account, Move

#: An order nobody confirmed ends by itself after this long.
CONFIRMATION = timedelta(days=30)
#: A due time is at most this far after completion.
DUE_LATEST = timedelta(days=90)
#: Payment items or discounts as the merchant words them: `name` and `amount`.
Lines: TypeAlias = Sequence[Mapping[str, Any]]
#: A problem with an order is reported at most this long after its end, and so often.
REPORT_WITHIN = timedelta(days=90)
REPORTS_MAX = 3
#: What is said about a concern is at most so long; and a person says so much before they are answered.
TEXT_MAX, UNANSWERED_MAX = 1000, 5
PROBLEMS = ("not_received", "not_as_agreed", "wrong_amount", "paid_already", "not_mine", "other")
#: The hour of the person's day at which the parts of a plan are due.
EASE_HOUR = 12
#: How far a colleague may go beyond what is granted by itself.
STAFF_PARTS_MAX, STAFF_DAYS_MAX = 24, 365
#: Ageing buckets: from this many days after the due day on.
BUCKETS = ((91, "90+"), (61, "61-90"), (31, "31-60"), (1, "1-30"))


@dataclass(frozen=True, slots=True)
class Terms:
    """The service's terms as they were when the order was opened."""

    person: Account
    held: Account
    owed: Account
    advance: bool
    fee_bps: int


class TotalError(ValueError):
    """The parts and the whole do not fit; the message says how, and `field` where (a JSON pointer)."""

    def __init__(self, how: str, field: str) -> None:
        super().__init__(how)
        self.field = field


class AboveCeilingError(TotalError):
    """More than was agreed."""


def clock_says(at: datetime) -> str:
    """What time it is here, for whoever sent a later one."""
    return f"it is {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} here"


def summed(items: Lines, discounts: Lines) -> int:
    """Σ items − Σ discounts (minor units)."""
    whole: int = sum(line["amount"] for line in items) - sum(line["amount"] for line in discounts)
    return whole


def total_of(total: int | None, items: Lines, discounts: Lines, *, ceiling: int, default: int | None) -> int:
    """What the order comes to (minor units): Σ items − Σ discounts, or the total given, or the amount ordered.

    Raises:
        TotalError: nothing says it, the two ways disagree, something is taken off no items, or it is below zero or
            above the ceiling.
    """
    if discounts and not items:
        raise TotalError("Say the items that the discounts are taken off.", "/items")
    made, said = summed(items, discounts) if items else None, "/items" if total is None else "/total"
    if total is None:
        total = default if made is None else made
    if total is None:
        raise TotalError("Say the total, or the items it is made of.", "/total")
    if made is not None and made != total:
        raise TotalError(f"The items less the discounts come to {made}, not {total}.", said)
    if total < 0:
        raise TotalError("The discounts are more than the items.", "/discounts")
    if total > ceiling:
        raise AboveCeilingError(f"The total {total} is above what was agreed, {ceiling}.", said)
    return total


def fee_of(amount: Money, terms: Terms) -> Money:
    return amount.bps(terms.fee_bps)


def fee_on(amount: Money, before: Money, terms: Terms) -> Money:
    """The fee on a part paid after `before` was: fees are of the sum so far, so parts add up to the whole."""
    return fee_of(before + amount, terms) - fee_of(before, terms)


def completion_moves(total: Money, terms: Terms) -> list[Move]:
    """The goods have arrived: the person owes; the merchant is owed now (advance) or once that is paid."""
    if not terms.advance:
        return [Move(terms.person, terms.held, total)]
    return [Move(terms.person, terms.owed, total), Move(terms.owed, FEES, fee_of(total, terms))]


def reduction_moves(part: Money, kept: Money, terms: Terms) -> list[Move]:
    """The total came down by `part`: what completion posted is reversed for it.

    Who was paid at completion had `kept` so much until now, and gets back the fee on the part of that.
    """
    if not terms.advance:
        return [Move(terms.held, terms.person, part)]
    fee = fee_of(kept, terms) - fee_of(kept - part, terms)
    return [Move(terms.owed, terms.person, part), Move(FEES, terms.owed, fee)]


def elsewhere_moves(amount: Money, terms: Terms) -> list[Move]:
    """The person paid the merchant directly: nobody owes anybody for that part through us."""
    return [Move(terms.owed if terms.advance else terms.held, terms.person, amount)]


def collection_moves(amount: Money, before: Money, clearing: Account, terms: Terms) -> list[Move]:
    """Money was taken: `amount` now, `before` earlier."""
    moves = [Move(clearing, terms.person, amount)]
    if not terms.advance:
        moves += [Move(terms.held, terms.owed, amount), Move(terms.owed, FEES, fee_on(amount, before, terms))]
    return moves


def accrual_moves(fee: Money, terms: Terms) -> list[Move]:
    """Another day unpaid: the person owes a late fee, and it is income."""
    return [Move(terms.person, LATE_FEES, fee)]


def fee_waiver_moves(fee: Money, terms: Terms) -> list[Move]:
    """A late fee is forgiven: what its days posted is reversed."""
    return [Move(LATE_FEES, terms.person, fee)]


def write_off_moves(amount: Money, terms: Terms, *, ours: bool) -> list[Move]:
    """The debt is given up: a loss of whoever bore the risk, us (`ours`) or the merchant, who was not owed yet."""
    return [Move(LOSSES if ours else terms.held, terms.person, amount)]


def recovery_moves(amount: Money, before: Money, clearing: Account, terms: Terms, *, ours: bool) -> list[Move]:
    """Money came for a debt given up: income where the loss was ours, else the merchant's, less the fee as ever."""
    if ours:
        return [Move(clearing, RECOVERIES, amount)]
    return [Move(clearing, terms.owed, amount), Move(terms.owed, FEES, fee_on(amount, before, terms))]


def refund_moves(amount: Money, kept: Money, due: Account, terms: Terms) -> list[Move]:
    """The merchant gives back `amount` of `kept`, the rest so far of what came in, and gets its fee for it back.

    Fees are of what the merchant keeps, so however many parts go back, what is left of them is exact.
    """
    fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
    return [Move(terms.owed, due, amount), Move(FEES, terms.owed, fee)]


def refund_failed_moves(amount: Money, kept: Money, due: Account, terms: Terms) -> list[Move]:
    """It could not be given back: the merchant, who keeps `kept` without it, has it again, less its fee."""
    fee = fee_of(kept + amount, terms) - fee_of(kept, terms)
    return [Move(due, terms.owed, amount), Move(terms.owed, FEES, fee)]


def owed_again_moves(amount: Money, kept: Money, terms: Terms) -> list[Move]:
    """A channel took `amount` back of `kept`: the person owes it again, and the merchant is owed it once it is paid."""
    moves = [Move(terms.person, DISPUTED, amount)]
    if not terms.advance:
        fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
        moves += [Move(terms.owed, terms.held, amount), Move(FEES, terms.owed, fee)]
    return moves


def charged_moves(amount: Money, kept: Money, terms: Terms) -> list[Move]:
    """A channel took `amount` back of `kept`, and the merchant bears it; the fee on it is theirs again."""
    fee = fee_of(kept, terms) - fee_of(kept - amount, terms)
    return [Move(terms.owed, DISPUTED, amount), Move(FEES, terms.owed, fee)]


def returned_moves(amount: Money, due: Account, clearing: Account) -> list[Move]:
    """The channel has given it back to the person."""
    return [Move(due, clearing, amount)]


def bucket_of(days: int) -> str:
    """The ageing bucket of something this many days past its due day."""
    return next((name for floor, name in BUCKETS if days >= floor), "")


def fee_after(units: int, unpaid_minor: int, daily_bps: int, *, cap_minor: int) -> tuple[int, int]:
    """One more day's late fee: the units so far (1/10,000 minor) and the whole fee they come to, rounded down, capped.

    Simple, not compound: it is on the unpaid part of what was bought, never on fees. A cap that came down with the
    total stops it where it stands; what has accrued is not taken back.
    """
    units = max(units, min(units + unpaid_minor * daily_bps, cap_minor * BPS))
    return units, units // BPS


def cap_left(cap_minor: int, charged_units: int) -> int:
    """What a cap leaves to one part of an order when the others have come to so many units."""
    return max(0, cap_minor + -charged_units // BPS)


def next_midnight(at: datetime, zone: str) -> datetime:
    """The end of the person's day in which `at` lies."""
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() + timedelta(days=1)
    return datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(at.tzinfo)


@dataclass(frozen=True, slots=True)
class Ease:
    """Which plans are granted at once to whoever says that paying is hard."""

    #: Into how many parts a debt is split, and how many days lie between them.
    parts: tuple[int, ...]
    every_days: tuple[int, ...]
    #: The last part is due at most so many days from now, and each is at least so much.
    days_max: int
    part_min_minor: int
    #: So many days lie between two plans that one person is granted by itself.
    apart_days: int


@dataclass(frozen=True, slots=True, order=True)
class Offer:
    """A debt in so many parts, so many days apart; the first is due when so many days have passed."""

    parts: int
    every_days: int


def _are_parts(owed: Money, parts: int, ease: Ease) -> bool:
    """Whether so many parts of it each come to something."""
    return owed.minor // parts >= in_currency(ease.part_min_minor, owed.currency)


def offers(ease: Ease, sums: Sequence[Money]) -> list[Offer]:
    """What is granted at once to somebody who owes these sums: the fewest parts first."""
    if not sums:
        return []
    return sorted(
        Offer(parts, days)
        for parts in ease.parts
        for days in ease.every_days
        if parts * days <= ease.days_max and all(_are_parts(sum_, parts, ease) for sum_ in sums)
    )


def split_evenly(minor: int, parts: int) -> list[int]:
    """The amount in so many parts that differ by one minor unit at most, the larger ones first."""
    share, rest = divmod(minor, parts)
    return [share + (part < rest) for part in range(parts)]


def spread(debts: Sequence[int], parts: int) -> list[list[int]]:
    """How much of each debt falls into each part: the oldest are paid first, and every part comes to the same."""
    left = split_evenly(sum(debts), parts)
    cut, part = [], 0
    for debt in debts:
        row, rest = [0] * parts, debt
        while rest:
            taken = min(rest, left[part])
            row[part] += taken
            rest -= taken
            left[part] -= taken
            part += not left[part] and part + 1 < parts
        cut.append(row)
    return cut


def due_days(offer: Offer, at: datetime, zone: str) -> list[datetime]:
    """When each part of a plan that is agreed now is due: at one hour of the person's day."""
    local = at.astimezone(ZoneInfo(zone))
    days = (local.date() + timedelta(days=offer.every_days * part) for part in range(1, offer.parts + 1))
    return [datetime.combine(day, time(EASE_HOUR), local.tzinfo).astimezone(at.tzinfo) for day in days]


def days_between(first: datetime, last: datetime, zone: str) -> int:
    """Calendar days of the person's from one moment to another."""
    there = ZoneInfo(zone)
    return (last.astimezone(there).date() - first.astimezone(there).date()).days
