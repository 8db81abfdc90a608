"""What a bank answers when it is asked for money: an account lived through once, by one way of collecting. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

from benchmarks.population import DAY, Account
from billing.planning import Kind

TAKEN = "taken"
KINDS = {
    "closed": Kind.HARD,
    "no_funds": Kind.SOFT,
    "over_limit": Kind.SOFT,
    "refused": Kind.SOFT,
    "bank_down": Kind.TECHNICAL,
}
#: People spend between these hours.
UP_FROM, UP_UNTIL = 7 * 60, 23 * 60


class Till:
    """An account as time passes. What is debited is gone: its owner can spend that much less."""

    def __init__(self, account: Account, outages: Sequence[tuple[int, int]]) -> None:
        self.account, self.outages = account, outages
        self.day, self.balance, self.debited = 0, account.opening, 0

    def debit(self, minute: int, amount: int) -> str:
        """The bank's answer. Time only goes on: a minute before the last one asked about is never asked for."""
        account, day, clock = self.account, minute // DAY, minute % DAY
        row = bisect_right(self.outages, minute, key=itemgetter(0)) - 1
        if row >= 0 and minute <= self.outages[row][1]:
            return "bank_down"
        if minute >= account.dies_at:
            return "closed"
        if day in account.refuses:
            return "refused"
        self._pass_until(day)
        there = self.balance + (account.inflow[day] if clock >= account.lands * 60 else 0)
        awake = min(max(clock - UP_FROM, 0), UP_UNTIL - UP_FROM)
        spent = min(there, account.spending[day] * awake // (UP_UNTIL - UP_FROM))
        if account.day_limit and spent + self.debited + amount > account.day_limit:
            return "over_limit"
        if spent + amount > there:
            return "no_funds"
        self.balance -= amount
        self.debited += amount
        return TAKEN

    def _pass_until(self, day: int) -> None:
        """Days end: what was to be spent is spent, as far as there was money."""
        if day > self.day:
            self.debited = 0
        for past in range(self.day, day):
            self.balance = max(0, self.balance + self.account.inflow[past] - self.account.spending[past])
        self.day = day
