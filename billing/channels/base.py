"""The interface of payment channels: requests, answers, and the protocols to charge, refund, pay out and dispute."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from kernel.money import Money


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """Charge this amount to this token. `number` is the idempotency key."""

    number: str
    token: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Refund this amount of the transaction `txn` to its token. `number` is the idempotency key."""

    number: str
    txn: str
    token: str
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Payee:
    """The account a payout goes to. `token` is our identifier; `number` is the bank account number."""

    token: str
    holder: str
    bank: str
    number: str


@dataclass(frozen=True, slots=True)
class PayoutRequest:
    """Send this amount to the payee. `number` is the idempotency key."""

    number: str
    payee: Payee
    amount: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money was charged, refunded or paid out, under the channel's own transaction number."""

    txn: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Declined:
    """The channel is sure that nothing moved, and says why; `kind` is a `billing.planning.Kind`."""

    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The outcome is unknown: no answer, a broken one, or "processing". The channel has to be queried."""

    code: str


@dataclass(frozen=True, slots=True)
class NumberNotFound:
    """The channel has no movement with this number, or not yet."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing moved under the number, and nothing ever will, even if a request arrives late."""


class Ruling(StrEnum):
    """A channel's decision on a dispute."""

    WON = "won"
    LOST = "lost"
    OPEN = "open"


Answer = Succeeded | Declined | Unknown | NumberNotFound | Closed


class BaseChannel(Protocol):
    """What all channels can do: query and close a number. Calls may take seconds or hang, so none may run inside a
    database transaction.
    """

    name: str
    #: "Not found" means "never arrived" only after this long and `min_queries` queries.
    finality: timedelta
    min_queries: int
    #: How many calls it accepts in parallel; 1 for channels in our own database.
    max_parallel_calls: int

    def query(self, number: str, *, at: datetime) -> Answer:
        """The outcome of the movement with this number."""
        ...

    def close(self, number: str, *, at: datetime) -> Answer:
        """Block the number so that nothing can move under it any more: Closed, or the outcome if it already has one."""
        ...


class Channel(BaseChannel, Protocol):
    """A channel that charges customers."""

    def charge(self, request: ChargeRequest) -> Answer:
        """Charge the money. Idempotent by number."""
        ...

    def refund(self, request: RefundRequest) -> Answer:
        """Refund the transaction. Idempotent by number."""
        ...


class PayoutChannel(BaseChannel, Protocol):
    """A channel that pays merchants out."""

    def pay_out(self, request: PayoutRequest) -> Answer:
        """Send the money. Idempotent by number."""
        ...


class DisputeChannel(Protocol):
    """A channel that accepts evidence against its disputes. No call may run inside a database transaction."""

    name: str

    def contest(self, txn: str, evidence: str, *, at: datetime) -> None:
        """Submit evidence against the reversal `txn`. Idempotent."""
        ...

    def query_ruling(self, txn: str, *, at: datetime) -> Ruling:
        """The decision so far."""
        ...
