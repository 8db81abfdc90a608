"""How a bank responds to debits of one account under one collection strategy. No database."""

from bisect import bisect_right
from collections.abc import Sequence
from operator import itemgetter

from benchmarks.population import DAY, Account
from billing.planning import FailureClass

TAKEN = "taken"
KINDS = {
    "closed": FailureClass.HARD,
    "no_funds": FailureClass.SOFT,
    "over_limit": FailureClass.SOFT,
    "refused": FailureClass.SOFT,
    "bank_down": FailureClass.TECHNICAL,
}
#: Spending happens between these minutes of the day.
UP_FROM, UP_UNTIL = 7 * 60, 23 * 60


class BankAccount:
    """An account over time. A debit reduces what its owner can spend."""

    def __init__(self, account: Account, outages: Sequence[tuple[int, int]]) -> None:
        self.account, self.outages = account, outages
        self.day, self.balance, self.debited = 0, account.opening, 0

    def debit(self, minute: int, amount: int) -> str:
        """Attempt a debit and return the bank's answer. Calls must be in order of time."""
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
        """Apply the income and spending of the days before this one, as far as there was money."""
        if day > self.day:
            self.debited = 0
        for past in range(self.day, day):
            self.balance = max(0, self.balance + self.account.inflow[past] - self.account.spending[past])
        self.day = day
