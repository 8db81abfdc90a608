"""An independent calculation of what a merchant must be paid, in plain arithmetic, without using the product's code."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal


def fee_of(amount: int, bps: int) -> int:
    """The fee of this amount at `bps` hundredths of a percent, rounded half up."""
    return int((Decimal(amount) * bps / 10_000).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass(frozen=True)
class Entry:
    """An amount credited to the merchant or deducted from them."""

    at: datetime
    kind: str
    order: str
    amount: int


@dataclass
class ExpectedSettlement:
    """The expected content of one settlement."""

    cutoff: datetime
    lines: list[tuple[str, str, int]]
    held: int = 0
    state: str = "closed"

    def total(self, *kinds: str) -> int:
        return sum(amount for kind, _order, amount in self.lines if not kinds or kind in kinds)


@dataclass
class ExpectedAccount:
    """A merchant's own bookkeeping, from which the expected settlements are calculated."""

    reserve_bps: int
    reserve_days: int
    entries: list[Entry] = field(default_factory=list)

    def sale(self, at: datetime, order: str, amount: int, fee_bps: int) -> None:
        self.add(at, order, gross=amount, fee=-fee_of(amount, fee_bps))

    def refund(self, at: datetime, order: str, kept: int, amount: int, fee_bps: int, *, fails: bool = False) -> None:
        back = fee_of(kept, fee_bps) - fee_of(kept - amount, fee_bps)
        self.add(at, order, refund=-amount, fee=back)
        if fails:
            self.add(at, order, refund=amount, fee=-back)

    def reduce(self, at: datetime, order: str, total: int, to: int, fee_bps: int) -> None:
        self.add(at, order, adjustment=to - total, fee=fee_of(total, fee_bps) - fee_of(to, fee_bps))

    def add(self, at: datetime, order: str, **amounts: int) -> None:
        self.entries += [Entry(at, kind, order, amount) for kind, amount in amounts.items() if amount]

    def settle(self, first: datetime, days: int, bounces: Callable[[datetime], bool]) -> list[ExpectedSettlement]:
        """The expected settlements, day by day. The bank refuses payouts at cut-offs for which `bounces` is true."""
        found: list[ExpectedSettlement] = []
        holds: list[tuple[datetime, int]] = []
        left: list[ExpectedSettlement] = []
        begin = datetime.min.replace(tzinfo=first.tzinfo)
        for number in range(days):
            cut = first + timedelta(days=number)
            lines = [(e.kind, e.order, e.amount) for e in self.entries if begin <= e.at < cut]
            over = [hold for hold in holds if hold[0] <= cut]
            begin = cut
            if not (lines or over or any(day.total() > 0 for day in left)):
                continue
            day = ExpectedSettlement(cut, lines)
            day.lines += [("carried", "", before.total()) for before in left]
            day.lines += [("reserve", "", amount) for _until, amount in over]
            holds = [hold for hold in holds if hold not in over]
            day.held = min(fee_of(day.total("gross"), self.reserve_bps), max(day.total(), 0))
            if day.held:
                day.lines.append(("reserve", "", -day.held))
                holds.append((cut + timedelta(days=self.reserve_days), day.held))
            if day.total() > 0:
                day.state = "failed" if bounces(cut) else "paid"
            left = [day] if day.state == "failed" or day.total() < 0 else []
            found.append(day)
        return found
