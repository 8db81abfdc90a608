"""A model of the sandbox bank in plain values: how each account responds to a debit and to a query."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from billing.channels.bank import Behaviour

LATE = timedelta(days=1)
#: How many callbacks a debit brings, and after how long.
CALLBACKS = {Behaviour.DUPLICATE_CALLBACK: (3, timedelta()), Behaviour.LATE_CALLBACK: (1, LATE)}


class ChannelResult(StrEnum):
    """What a channel reports for a number."""

    TAKEN = "taken"
    SOFT = "soft"
    HARD = "hard"
    LOST = "lost"
    ABSENT = "absent"


@dataclass
class Account:
    """Where money is taken from. A wallet answers at once, and remembers nothing of what it refused."""

    behaviour: Behaviour = Behaviour.PAYS
    until: datetime | None = None
    balance: int | None = None
    wallet: bool = False
    charges: int = 0
    #: Whether it may still be charged: a hard decline ends that for good.
    alive: bool = True

    @property
    def patience(self) -> tuple[int, timedelta]:
        """After how many asks, and how long, "not found" is believed."""
        return (1, timedelta()) if self.wallet else (2, timedelta(seconds=30))

    def refuses(self, amount: int, *, at: datetime) -> ChannelResult | None:
        short = amount > (self.balance or 0)
        if self.wallet:
            return ChannelResult.SOFT if short else None
        match self.behaviour:
            case Behaviour.HARD_DECLINE:
                return ChannelResult.HARD
            case Behaviour.NO_FUNDS:
                return ChannelResult.SOFT
            case Behaviour.NO_FUNDS_UNTIL if self.until and at < self.until:
                return ChannelResult.SOFT
            case Behaviour.PARTIAL_BALANCE if short:
                return ChannelResult.SOFT
        return None

    @property
    def silent(self) -> bool:
        """Whether its first answer never arrives."""
        first = self.behaviour is Behaviour.TIMEOUT_THEN_PAID and self.charges == 1
        return first or self.behaviour in (Behaviour.SLOW, Behaviour.LATE_CALLBACK)


@dataclass
class Debit:
    """What the bank knows under a number."""

    token: str
    amount: int
    refused: ChannelResult | None
    settles_at: datetime


@dataclass
class Bank:
    """Accounts by their token, debits by their number, and the callbacks still to be sent."""

    accounts: dict[str, Account] = field(default_factory=dict)
    debits: dict[str, Debit] = field(default_factory=dict)
    callbacks: list[tuple[str, datetime]] = field(default_factory=list)

    def charge(self, number: str, token: str, amount: int, *, at: datetime) -> ChannelResult:
        account = self.accounts[token]
        account.charges += 1
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1 and not account.wallet:
            return ChannelResult.LOST
        refused = account.refuses(amount, at=at)
        if account.wallet and refused:
            return refused
        late = account.behaviour is Behaviour.LATE_CALLBACK and not refused
        self.debits[number] = Debit(token, amount, refused, at + LATE if late else at)
        if refused:
            return refused
        if account.balance is not None:
            account.balance -= amount
        times, after = CALLBACKS.get(account.behaviour, (0, timedelta()))
        self.callbacks += [(number, at + after)] * times
        return ChannelResult.LOST if account.silent else ChannelResult.TAKEN

    def look_up(self, number: str, *, at: datetime) -> ChannelResult:
        known = self.debits.get(number)
        if known is None:
            return ChannelResult.ABSENT
        return known.refused or (ChannelResult.LOST if at < known.settles_at else ChannelResult.TAKEN)

    def callbacks_by(self, at: datetime) -> list[str]:
        """The numbers it calls back about by now; it does so once."""
        due = [number for number, when in self.callbacks if when <= at]
        self.callbacks = [(number, when) for number, when in self.callbacks if when > at]
        return due

    def debits_by_token(self) -> dict[str, list[int]]:
        """What really left each account."""
        taken: dict[str, list[int]] = defaultdict(list)
        for debit in self.debits.values():
            if debit.refused is None:
                taken[debit.token].append(debit.amount)
        return {token: sorted(amounts) for token, amounts in taken.items()}
