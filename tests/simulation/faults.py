"""A channel that does what real ones do, and worse. Its own books outlive every rollback and every crash of ours."""

import heapq
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from billing.channels import Absent, Answer, Charge, Closed, Declined, Lost, Taken, bank
from billing.planning import Kind
from kernel.money import Money


class Fault(StrEnum):
    """What becomes of a charge that reaches the channel on a good line. The first three are none."""

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


#: How often, in a thousand charges.
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
#: How long the channel may take to be sure, and how long a debit may be in processing.
FINALITY, PROCESSING_MAX = timedelta(minutes=10), timedelta(days=1)
#: How many callbacks follow a success.
CALLBACKS = (*[0] * 27, 1, 1, 2)
#: Of the faults, those by which the channel itself takes money that is not ours to take.
ITS_OWN = {Fault.WRONG_AMOUNT, Fault.CONTRADICTION, Fault.TWICE}
_REFUSALS = {
    Fault.SOFT: ("insufficient_funds", Kind.SOFT),
    Fault.DECLINE_LOST: ("insufficient_funds", Kind.SOFT),
    Fault.CONTRADICTION: ("do_not_honour", Kind.SOFT),
    Fault.HARD: ("account_closed", Kind.HARD),
    Fault.TECHNICAL: ("issuer_unavailable", Kind.TECHNICAL),
}


class LineBrokenError(Exception):
    """A reset, a 5xx, an answer that makes no sense."""


@dataclass(frozen=True, slots=True)
class Taking:
    """Money that really left somebody's account."""

    number: str
    txn: str
    amount: Money
    at: datetime


@dataclass(slots=True)
class Debit:
    """What the channel knows of one of our numbers."""

    ordinal: int
    token: str
    asked: Money
    fault: Fault
    seen_from: datetime
    settles_at: datetime
    code: str = ""
    kind: str = ""
    takings: list[Taking] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A callback on its way, in the order in which they go out."""

    at: datetime
    place: int
    ordinal: int = field(compare=False)
    raw: bytes = field(compare=False)
    signature: str = field(compare=False)


class FaultyChannel:
    """Stands in the sandbox channel's place. Every choice is drawn from `rng`, in the order in which charges come."""

    name = "sandbox"
    finality = FINALITY
    asks_min = 2
    at_once = 1

    def __init__(
        self, rng: random.Random, point: Callable[[str], None], storms: list[tuple[datetime, datetime]]
    ) -> None:
        self.rng, self.point, self.storms = rng, point, storms
        self.debits: dict[str, Debit] = {}
        self.shut: set[str] = set()
        self.notes: list[Note] = []
        self.counts: dict[str, int] = {}
        #: Accounts that are closed, from when; and until when nothing goes wrong any more.
        self.closed: dict[str, datetime] = {}
        self.calm_from: datetime | None = None
        self.knock: Callable[[Note], None] | None = None
        self._sent = 0

    def charge(self, charge: Charge) -> Answer:
        self.point("before charge")
        if self._storm(charge.at) and self.rng.random() < 0.5:
            self._count("line_broken_before")
            raise LineBrokenError
        answer = self._charged(charge)
        self.point("after charge")
        if self._storm(charge.at):
            self._count("line_broken_after")
            raise LineBrokenError
        return answer

    def query(self, number: str, *, at: datetime) -> Answer:
        self.point("before query")
        if self._storm(at):
            self._count("line_broken_query")
            raise LineBrokenError
        answer = self._told(self.debits.get(number), at)
        self.point("after query")
        return answer

    def close(self, number: str, *, at: datetime) -> Answer:
        """What it knows it tells, also what it does not show yet; what has not arrived never will be taken."""
        self.point("before close")
        if self._storm(at):
            self._count("line_broken_close")
            raise LineBrokenError
        debit = self.debits.get(number)
        answer = Closed() if debit is None else self._told(debit, max(at, debit.seen_from))
        self.shut |= {number} if debit is None else set()
        self.point("after close")
        return answer

    def notes_due(self, at: datetime) -> Iterator[Note]:
        """Callbacks to go out by now. One that nobody acknowledges is sent `again`."""
        while self.notes and self.notes[0].at <= at:
            yield heapq.heappop(self.notes)

    def again(self, note: Note, at: datetime) -> None:
        self._sent += 1
        heapq.heappush(self.notes, Note(at, self._sent, note.ordinal, note.raw, note.signature))

    @property
    def next_note(self) -> datetime | None:
        return self.notes[0].at if self.notes else None

    def takings(self, at: datetime) -> Iterator[Taking]:
        """Everything that was really taken by now."""
        for debit in self.debits.values():
            yield from (taking for taking in debit.takings if taking.at <= at)

    def _charged(self, charge: Charge) -> Answer:
        known = self.debits.get(charge.number)
        if known is not None:
            return self._told(known, charge.at)
        if charge.number in self.shut:
            return Declined("closed", Kind.TECHNICAL)
        fault = self._drawn(charge)
        self._count(fault)
        if fault is Fault.NEVER_ARRIVED:
            return Lost("timeout")
        debit = Debit(len(self.debits) + 1, charge.token, charge.amount, fault, charge.at, charge.at)
        self.debits[charge.number] = debit
        debit.code, debit.kind = _REFUSALS.get(fault, ("", ""))
        if fault is Fault.PROCESSING:
            debit.settles_at += self._span(60, PROCESSING_MAX.total_seconds())
        elif fault is Fault.HIDDEN:
            debit.seen_from += self._span(1, FINALITY.total_seconds() - 1)
        if not debit.code:
            self._take(charge.number, debit)
        if fault is Fault.CONTRADICTION:
            later = self._callback_at(charge.at)
            self._post(debit, self._taking(charge.number, debit, "t1", charge.amount, later), later)
        return self._answer(debit, charge.at)

    def _drawn(self, charge: Charge) -> Fault:
        fault = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        closed = self.closed.get(charge.token)
        if closed and closed <= charge.at:
            return Fault.HARD
        if self.calm_from and charge.at >= self.calm_from:
            return fault if fault is Fault.SOFT else Fault.PAID
        return fault

    def _take(self, number: str, debit: Debit) -> None:
        """The money leaves the account, once; or as the fault has it."""
        wrong = debit.fault is Fault.WRONG_AMOUNT
        amount = Money(debit.asked.minor + 1, debit.asked.currency) if wrong else debit.asked
        taking = self._taking(number, debit, "t1", amount, debit.settles_at)
        if debit.fault is Fault.EARLY_CALLBACK and self.knock:
            self.knock(self._note(debit, taking, debit.settles_at))
        for _ in range(self.rng.choice(CALLBACKS)):
            self._post(debit, taking, self._callback_at(debit.settles_at))
        if debit.fault is Fault.TWICE:
            later = debit.settles_at + self._span(86_400, 3 * 86_400)  # the first has long been heard of
            self._post(debit, self._taking(number, debit, "t2", amount, later), later)

    def _taking(self, number: str, debit: Debit, which: str, amount: Money, at: datetime) -> Taking:
        taking = Taking(number, f"{which}-{debit.ordinal}", amount, at)
        debit.takings.append(taking)
        return taking

    def _answer(self, debit: Debit, at: datetime) -> Answer:
        if debit.fault is Fault.GARBLED:
            raise LineBrokenError
        if debit.fault in (Fault.ANSWER_LOST, Fault.DECLINE_LOST, Fault.HIDDEN):
            return Lost("timeout")
        return self._told(debit, at)

    def _told(self, debit: Debit | None, at: datetime) -> Answer:
        if debit is None or at < debit.seen_from:
            return Absent()
        if debit.code:
            return Declined(debit.code, debit.kind)
        if at < debit.settles_at:
            return Lost("processing")
        return Taken(debit.takings[0].txn, debit.takings[0].amount)

    def _post(self, debit: Debit, taking: Taking, at: datetime) -> None:
        heapq.heappush(self.notes, self._note(debit, taking, at))

    def _note(self, debit: Debit, taking: Taking, at: datetime) -> Note:
        """A callback about a taking; some repeat an earlier one to the byte, some say the same under another name."""
        self._sent += 1
        self._count("callback")
        name = f"{taking.txn}-{self.rng.choice('ab')}"
        amount = {"amount": taking.amount.minor, "currency": taking.amount.currency}
        raw = json.dumps({"notify_id": name, "number": taking.number, "txn": taking.txn, **amount}).encode()
        return Note(at, self._sent, debit.ordinal, raw, bank.sign(raw))

    def _callback_at(self, taken: datetime) -> datetime:
        """At once, before the second ask, or up to three days later by the channel's own post."""
        hours = self.rng.choice((0, 0, 1, 2, 6, 12, 24, 72))
        if not hours:
            return taken + timedelta(seconds=self.rng.choice((0, 20)))
        return taken.replace(minute=0, second=0) + timedelta(hours=hours)

    def _storm(self, at: datetime) -> bool:
        return any(begin <= at < end for begin, end in self.storms)

    def _span(self, least: float, most: float) -> timedelta:
        return timedelta(seconds=self.rng.randint(int(least), int(most)))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
