"""What a merchant must be paid, worked out in plain arithmetic from what was done, without a look at the product."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal


def share(amount: int, bps: int) -> int:
    """So many hundredths of a percent of it, halves up."""
    return int((Decimal(amount) * bps / 10_000).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass(frozen=True)
class Entry:
    """Something that was credited to the merchant or taken from them."""

    at: datetime
    kind: str
    order: str
    amount: int


@dataclass
class Day:
    """What one settlement must say."""

    cut: datetime
    lines: list[tuple[str, str, int]]
    held: int = 0
    state: str = "closed"

    def sum(self, *kinds: str) -> int:
        return sum(amount for kind, _order, amount in self.lines if not kinds or kind in kinds)


@dataclass
class Till:
    """A merchant's own bookkeeping."""

    reserve_bps: int
    reserve_days: int
    entries: list[Entry] = field(default_factory=list)

    def sale(self, at: datetime, order: str, amount: int, fee_bps: int) -> None:
        self.note(at, order, gross=amount, fee=-share(amount, fee_bps))

    def refund(self, at: datetime, order: str, kept: int, amount: int, fee_bps: int, *, fails: bool = False) -> None:
        back = share(kept, fee_bps) - share(kept - amount, fee_bps)
        self.note(at, order, refund=-amount, fee=back)
        if fails:
            self.note(at, order, refund=amount, fee=-back)

    def lower(self, at: datetime, order: str, total: int, to: int, fee_bps: int) -> None:
        self.note(at, order, adjustment=to - total, fee=share(total, fee_bps) - share(to, fee_bps))

    def note(self, at: datetime, order: str, **amounts: int) -> None:
        self.entries += [Entry(at, kind, order, amount) for kind, amount in amounts.items() if amount]

    def settle(self, first: datetime, days: int, bounces: Callable[[datetime], bool]) -> list[Day]:
        """Day by day what is settled; the bank refuses a payout at the cut-offs for which `bounces`."""
        found: list[Day] = []
        holds: list[tuple[datetime, int]] = []
        left: list[Day] = []
        begin = datetime.min.replace(tzinfo=first.tzinfo)
        for number in range(days):
            cut = first + timedelta(days=number)
            lines = [(e.kind, e.order, e.amount) for e in self.entries if begin <= e.at < cut]
            over = [hold for hold in holds if hold[0] <= cut]
            begin = cut
            if not (lines or over or any(day.sum() > 0 for day in left)):
                continue
            day = Day(cut, lines)
            day.lines += [("carried", "", before.sum()) for before in left]
            day.lines += [("reserve", "", amount) for _until, amount in over]
            holds = [hold for hold in holds if hold not in over]
            day.held = min(share(day.sum("gross"), self.reserve_bps), max(day.sum(), 0))
            if day.held:
                day.lines.append(("reserve", "", -day.held))
                holds.append((cut + timedelta(days=self.reserve_days), day.held))
            if day.sum() > 0:
                day.state = "failed" if bounces(cut) else "paid"
            left = [day] if day.state == "failed" or day.sum() < 0 else []
            found.append(day)
        return found
