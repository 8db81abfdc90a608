"""What every channel can do: take money under our number, give it back, and say what became of a number."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from kernel.money import Money


@dataclass(frozen=True, slots=True)
class Charge:
    """What is asked of a channel: take this much from this token, under this number and no other."""

    number: str
    token: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Return:
    """What is asked of a channel: give this much of that transaction back to its token, under this number."""

    number: str
    txn: str
    token: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Payee:
    """Whose account money is sent to. `token` names it among ours; `number` is the bank's."""

    token: str
    holder: str
    bank: str
    number: str


@dataclass(frozen=True, slots=True)
class Disbursal:
    """What is asked of a channel: send this much to that account, under this number and no other."""

    number: str
    payee: Payee
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """The money was taken, given back or paid out, under the channel's own transaction number."""

    txn: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """The channel is sure that nothing was taken, and says why; `kind` is a `billing.rules.Kind`."""

    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody knows: no answer, half an answer, or one that says "wait". It must be asked about."""

    code: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The channel does not know the number: yet, or at all."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing was taken under the number, and nothing ever will be, whatever still arrives."""


class Ruling(StrEnum):
    """What a channel decided about money that it had taken back."""

    WON = "won"
    LOST = "lost"
    OPEN = "open"


Answer = Taken | Declined | Lost | Absent | Closed


class Line(Protocol):
    """Somebody who moves money and can be asked. Calls may take seconds and may never answer; none runs inside a
    transaction.
    """

    name: str
    #: After this long "not found" may mean "never arrived", if it was said `asks_min` times.
    finality: timedelta
    asks_min: int
    #: How many calls it takes at one time. One that works in our own database takes one.
    at_once: int

    def query(self, number: str, *, at: datetime) -> Answer:
        """What became of the number."""
        ...

    def close(self, number: str, *, at: datetime) -> Answer:
        """See to it that nothing moves under the number any more: Closed, or what became of it already."""
        ...


class Channel(Line, Protocol):
    """One way in which people pay."""

    def charge(self, charge: Charge) -> Answer:
        """Take the money. Sent twice under one number it is taken once."""
        ...

    def give_back(self, asked: Return) -> Answer:
        """Refund the transaction. Sent twice under one number it is refunded once."""
        ...


class Payer(Line, Protocol):
    """One way in which merchants are paid."""

    def pay_out(self, asked: Disbursal) -> Answer:
        """Send the money. Sent twice under one number it arrives once."""
        ...


class Tribunal(Protocol):
    """A channel that hears us before it keeps what it took back. No call runs inside a transaction."""

    name: str

    def contest(self, txn: str, evidence: str, *, at: datetime) -> None:
        """Say this against the movement with which it took money back. Said twice it is said once."""
        ...

    def ruling(self, txn: str, *, at: datetime) -> Ruling:
        """What it has decided by now."""
        ...
