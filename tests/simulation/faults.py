"""A channel with the faults of real ones, and worse. Its own records survive our rollbacks and crashes."""

import heapq
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from billing.channels import Answer, ChargeRequest, Closed, Declined, NumberNotFound, Succeeded, Unknown, bank
from billing.planning import FailureClass
from kernel.money import Money


class Fault(StrEnum):
    """What happens to a charge sent over a working connection. The first three are normal results."""

    PAID = "paid"
    SOFT = "soft_decline"
    HARD = "hard_decline"
    TECHNICAL = "technical_decline"
    NEVER_ARRIVED = "never_arrived"
    ANSWER_LOST = "answer_lost"
    DECLINE_LOST = "decline_lost"
    GARBLED = "garbled_answer"
    PROCESSING = "processing"
    HIDDEN = "not_found_in_flight"
    EARLY_CALLBACK = "callback_before_answer"
    WRONG_AMOUNT = "wrong_amount"
    CONTRADICTION = "taken_after_decline"
    TWICE = "taken_twice"


#: Frequency in a thousand charges.
WEIGHTS = {
    Fault.PAID: 660,
    Fault.SOFT: 110,
    Fault.HARD: 8,
    Fault.TECHNICAL: 20,
    Fault.NEVER_ARRIVED: 30,
    Fault.ANSWER_LOST: 45,
    Fault.DECLINE_LOST: 15,
    Fault.GARBLED: 15,
    Fault.PROCESSING: 35,
    Fault.HIDDEN: 30,
    Fault.EARLY_CALLBACK: 20,
    Fault.WRONG_AMOUNT: 2,
    Fault.CONTRADICTION: 6,
    Fault.TWICE: 4,
}
#: When the channel's answers are final, and how long a debit may be processing.
FINALITY, PROCESSING_MAX = timedelta(minutes=10), timedelta(days=1)
#: How many callbacks follow a success.
CALLBACKS = (*[0] * 27, 1, 1, 2)
#: Faults by which the channel itself withdraws money wrongly.
CHANNEL_MISTAKES = {Fault.WRONG_AMOUNT, Fault.CONTRADICTION, Fault.TWICE}
_REFUSALS = {
    Fault.SOFT: ("insufficient_funds", FailureClass.SOFT),
    Fault.DECLINE_LOST: ("insufficient_funds", FailureClass.SOFT),
    Fault.CONTRADICTION: ("do_not_honour", FailureClass.SOFT),
    Fault.HARD: ("account_closed", FailureClass.HARD),
    Fault.TECHNICAL: ("issuer_unavailable", FailureClass.TECHNICAL),
}


class LineBrokenError(Exception):
    """A connection reset, a 5xx, or an unreadable answer."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Money that really left an account."""

    number: str
    txn: str
    amount: Money
    at: datetime


@dataclass(slots=True)
class Debit:
    """The channel's record of one of our request numbers."""

    ordinal: int
    token: str
    requested: Money
    fault: Fault
    visible_from: datetime
    settles_at: datetime
    code: str = ""
    kind: str = ""
    withdrawals: list[Withdrawal] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class PendingCallback:
    """A scheduled callback, ordered by send time."""

    at: datetime
    sequence: int
    ordinal: int = field(compare=False)
    raw: bytes = field(compare=False)
    signature: str = field(compare=False)


class FaultyChannel:
    """Replaces the sandbox channel. Every choice is drawn from `rng`, in the order of the charges."""

    name = "sandbox"
    finality = FINALITY
    min_queries = 2
    max_parallel_calls = 1

    def __init__(
        self, rng: random.Random, point: Callable[[str], None], storms: list[tuple[datetime, datetime]]
    ) -> None:
        self.rng, self.point, self.outages = rng, point, storms
        self.debits: dict[str, Debit] = {}
        self.closed_numbers: set[str] = set()
        self.callbacks: list[PendingCallback] = []
        self.counts: dict[str, int] = {}
        #: Accounts that get closed, with the time; and from when nothing goes wrong any more.
        self.closed_accounts: dict[str, datetime] = {}
        self.calm_from: datetime | None = None
        self.deliver_callback: Callable[[PendingCallback], None] | None = None
        self._sent = 0

    def charge(self, request: ChargeRequest) -> Answer:
        self.point("before charge")
        if self._in_outage(request.at) and self.rng.random() < 0.5:
            self._count("line_broken_before")
            raise LineBrokenError
        answer = self._process(request)
        self.point("after charge")
        if self._in_outage(request.at):
            self._count("line_broken_after")
            raise LineBrokenError
        return answer

    def query(self, number: str, *, at: datetime) -> Answer:
        self.point("before query")
        if self._in_outage(at):
            self._count("line_broken_query")
            raise LineBrokenError
        answer = self._known_answer(self.debits.get(number), at)
        self.point("after query")
        return answer

    def close(self, number: str, *, at: datetime) -> Answer:
        """Close a number: a known debit is reported, even if not visible yet; an unknown one is never executed."""
        self.point("before close")
        if self._in_outage(at):
            self._count("line_broken_close")
            raise LineBrokenError
        debit = self.debits.get(number)
        answer = Closed() if debit is None else self._known_answer(debit, max(at, debit.visible_from))
        self.closed_numbers |= {number} if debit is None else set()
        self.point("after close")
        return answer

    def callbacks_due(self, at: datetime) -> Iterator[PendingCallback]:
        """Callbacks due by now. An unacknowledged one is put back with `resend`."""
        while self.callbacks and self.callbacks[0].at <= at:
            yield heapq.heappop(self.callbacks)

    def resend(self, callback: PendingCallback, at: datetime) -> None:
        self._sent += 1
        heapq.heappush(
            self.callbacks, PendingCallback(at, self._sent, callback.ordinal, callback.raw, callback.signature)
        )

    @property
    def next_callback_at(self) -> datetime | None:
        return self.callbacks[0].at if self.callbacks else None

    def withdrawals_until(self, at: datetime) -> Iterator[Withdrawal]:
        """All withdrawals up to now."""
        for debit in self.debits.values():
            yield from (withdrawal for withdrawal in debit.withdrawals if withdrawal.at <= at)

    def _process(self, charge: ChargeRequest) -> Answer:
        known = self.debits.get(charge.number)
        if known is not None:
            return self._known_answer(known, charge.at)
        if charge.number in self.closed_numbers:
            return Declined("closed", FailureClass.TECHNICAL)
        fault = self._draw_fault(charge)
        self._count(fault)
        if fault is Fault.NEVER_ARRIVED:
            return Unknown("timeout")
        debit = Debit(len(self.debits) + 1, charge.token, charge.amount, fault, charge.at, charge.at)
        self.debits[charge.number] = debit
        debit.code, debit.kind = _REFUSALS.get(fault, ("", ""))
        if fault is Fault.PROCESSING:
            debit.settles_at += self._random_span(60, PROCESSING_MAX.total_seconds())
        elif fault is Fault.HIDDEN:
            debit.visible_from += self._random_span(1, FINALITY.total_seconds() - 1)
        if not debit.code:
            self._withdraw(charge.number, debit)
        if fault is Fault.CONTRADICTION:
            later = self._callback_at(charge.at)
            self._schedule_callback(
                debit, self._add_withdrawal(charge.number, debit, "t1", charge.amount, later), later
            )
        return self._answer(debit, charge.at)

    def _draw_fault(self, charge: ChargeRequest) -> Fault:
        fault = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        closed = self.closed_accounts.get(charge.token)
        if closed and closed <= charge.at:
            return Fault.HARD
        if self.calm_from and charge.at >= self.calm_from:
            return fault if fault is Fault.SOFT else Fault.PAID
        return fault

    def _withdraw(self, number: str, debit: Debit) -> None:
        """Withdraw the money, once or as the fault says, and schedule callbacks."""
        wrong = debit.fault is Fault.WRONG_AMOUNT
        amount = Money(debit.requested.minor + 1, debit.requested.currency) if wrong else debit.requested
        withdrawal = self._add_withdrawal(number, debit, "t1", amount, debit.settles_at)
        if debit.fault is Fault.EARLY_CALLBACK and self.deliver_callback:
            self.deliver_callback(self._callback(debit, withdrawal, debit.settles_at))
        for _ in range(self.rng.choice(CALLBACKS)):
            self._schedule_callback(debit, withdrawal, self._callback_at(debit.settles_at))
        if debit.fault is Fault.TWICE:
            later = debit.settles_at + self._random_span(86_400, 3 * 86_400)  # long after the first was reported
            self._schedule_callback(debit, self._add_withdrawal(number, debit, "t2", amount, later), later)

    def _add_withdrawal(self, number: str, debit: Debit, which: str, amount: Money, at: datetime) -> Withdrawal:
        withdrawal = Withdrawal(number, f"{which}-{debit.ordinal}", amount, at)
        debit.withdrawals.append(withdrawal)
        return withdrawal

    def _answer(self, debit: Debit, at: datetime) -> Answer:
        if debit.fault is Fault.GARBLED:
            raise LineBrokenError
        if debit.fault in (Fault.ANSWER_LOST, Fault.DECLINE_LOST, Fault.HIDDEN):
            return Unknown("timeout")
        return self._known_answer(debit, at)

    def _known_answer(self, debit: Debit | None, at: datetime) -> Answer:
        if debit is None or at < debit.visible_from:
            return NumberNotFound()
        if debit.code:
            return Declined(debit.code, debit.kind)
        if at < debit.settles_at:
            return Unknown("processing")
        return Succeeded(debit.withdrawals[0].txn, debit.withdrawals[0].amount)

    def _schedule_callback(self, debit: Debit, withdrawal: Withdrawal, at: datetime) -> None:
        heapq.heappush(self.callbacks, self._callback(debit, withdrawal, at))

    def _callback(self, debit: Debit, withdrawal: Withdrawal, at: datetime) -> PendingCallback:
        """A callback about a withdrawal; some repeat an earlier one exactly, some have another notification id."""
        self._sent += 1
        self._count("callback")
        name = f"{withdrawal.txn}-{self.rng.choice('ab')}"
        amount = {"amount": withdrawal.amount.minor, "currency": withdrawal.amount.currency}
        raw = json.dumps({"notify_id": name, "number": withdrawal.number, "txn": withdrawal.txn, **amount}).encode()
        return PendingCallback(at, self._sent, debit.ordinal, raw, bank.sign(raw))

    def _callback_at(self, taken: datetime) -> datetime:
        """At once, before the second query, or up to three days later on a full hour."""
        hours = self.rng.choice((0, 0, 1, 2, 6, 12, 24, 72))
        if not hours:
            return taken + timedelta(seconds=self.rng.choice((0, 20)))
        return taken.replace(minute=0, second=0) + timedelta(hours=hours)

    def _in_outage(self, at: datetime) -> bool:
        return any(begin <= at < end for begin, end in self.outages)

    def _random_span(self, least: float, most: float) -> timedelta:
        return timedelta(seconds=self.rng.randint(int(least), int(most)))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
