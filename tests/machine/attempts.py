"""A model of deductions: their result, and what it pays, releases or leaves open."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.machine.bank_model import Bank, ChannelResult
from tests.machine.debt import Debt
from tests.machine.model import Order, Person

WAITS = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
LEASE = timedelta(seconds=60)
COLLECTS_A_DAY = 5
UNKNOWN_CASE_AFTER = timedelta(days=3)


@dataclass(eq=False)
class Attempt:
    """A deduction: how much from where, and for what."""

    id: UUID
    person: Person
    token: str
    lines: list[tuple[Debt, int]]
    sent_at: datetime
    ask_at: datetime | None
    state: str = "sent"
    asks: int = 0

    @property
    def amount(self) -> int:
        return sum(amount for _, amount in self.lines)

    @property
    def open(self) -> bool:
        return self.state in ("sent", "unknown")

    def succeeds(self) -> None:
        self.ends("succeeded")
        for debt, amount in self.lines:
            debt.pay(amount)
        for debt, _ in self.lines:
            debt.order.close_if_paid()

    def ends(self, state: str) -> None:
        self.state, self.ask_at = state, None
        for debt, _ in self.lines:
            debt.in_flight = None


#: A movement that the bank knows nothing of and says nonetheless.
ANOTHER = "another"


@dataclass
class DeductionModel:
    """All attempts, and the bank they were sent to."""

    bank: Bank = field(default_factory=Bank)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    cases: int = 0
    #: Money nobody can place.
    suspense: int = 0
    placed: dict[tuple[UUID, str], int] = field(default_factory=dict)
    #: Every wrong amount that had a case.
    told: set[tuple[UUID, str, int]] = field(default_factory=set)
    #: Attempts nobody could say the end of for days.
    reported_unknown: set[UUID] = field(default_factory=set)

    def source(self, person: Person, token: str | None) -> str | None:
        """The instrument asked for, or the first; None if it may not be charged."""
        alive = [known for known in person.tokens if self.bank.accounts[known].alive]
        wanted = [known for known in alive if token in (None, known)]
        return wanted[0] if wanted else None

    def begin(self, attempt: Attempt) -> None:
        """Record the attempt, which claims its debts."""
        assert self.source(attempt.person, attempt.token), "from an instrument of theirs that may be charged"
        for debt, amount in attempt.lines:
            assert debt.order.person is attempt.person, "nobody pays for somebody else"
            assert debt.in_flight is None, "one attempt at a time"
            assert 0 < amount <= debt.payable, "never more than is owed"
            debt.in_flight = attempt.id
            debt.attempts += 1
        self.attempts[attempt.id] = attempt

    def charge(self, attempt: Attempt, *, at: datetime) -> ChannelResult:
        return self.bank.charge(attempt.id.hex, attempt.token, attempt.amount, at=at)

    def apply_result(self, attempt: Attempt, word: ChannelResult, *, at: datetime) -> None:
        """Apply a result of the bank, unless the attempt has one."""
        if not attempt.open:
            return
        if word is ChannelResult.TAKEN:
            attempt.succeeds()
            self._explains(attempt)
        elif word in (ChannelResult.SOFT, ChannelResult.HARD):
            attempt.ends("failed")
            if word is ChannelResult.HARD:
                self.bank.accounts[attempt.token].alive = False
        elif word is ChannelResult.ABSENT and self._gone(attempt, at=at):
            attempt.ends("not_sent")
        else:
            if attempt.state == "sent":
                attempt.state, attempt.ask_at = "unknown", at + WAITS[min(attempt.asks, len(WAITS) - 1)]
            if at >= attempt.sent_at + UNKNOWN_CASE_AFTER and attempt.id not in self.reported_unknown:
                self.reported_unknown.add(attempt.id)
                self.cases += 1

    def ask(self, *, at: datetime) -> None:
        """Query the attempts that are due."""
        due = [attempt for attempt in self.attempts.values() if attempt.ask_at is not None and attempt.ask_at <= at]
        for attempt in due:
            attempt.asks += 1
            attempt.state, attempt.ask_at = "unknown", at + WAITS[min(attempt.asks, len(WAITS) - 1)]
        for attempt in due:
            self.apply_result(attempt, self.bank.look_up(attempt.id.hex, at=at), at=at)

    def call_back(self, *, at: datetime) -> None:
        for number in self.bank.callbacks_by(at):
            self.apply_result(self.attempts[UUID(hex=number)], ChannelResult.TAKEN, at=at)

    def hold_in_suspense(self, attempt: Attempt, txn: str, amount: int) -> None:
        """The bank reports an impossible amount or movement: the last reported amount is held in suspense as a case."""
        before = self.placed.get((attempt.id, txn))
        if before != amount:
            self.placed[attempt.id, txn] = amount
            self.told.add((attempt.id, txn, amount))
            self.cases += 1
            self.suspense += amount - (before or 0)

    def contradict(self, attempt: Attempt, txn: str, amount: int) -> None:
        """The bank reports the movement that is booked with another amount: a case without money, once for each."""
        if (attempt.id, txn, amount) not in self.told:
            self.told.add((attempt.id, txn, amount))
            self.cases += 1

    def _explains(self, attempt: Attempt) -> None:
        """What was said of the same movement before, with another amount, waits for nobody any more."""
        said = [key for key in self.placed if key[0] == attempt.id and key[1] != ANOTHER]
        self.suspense -= sum(self.placed.pop(key) for key in said)

    def pay(self, order: Order, token: str | None, amount: int | None) -> tuple[str, list[tuple[Debt, int]]]:
        """Why an order is not paid now, or what the attempt must be for: the oldest debt first."""
        if order.state not in ("completed", "overdue"):
            return "order_state", []
        if order.busy:
            return "deduction_in_flight", []
        if self.source(order.person, token) is None:
            return "no_instrument", []
        return self.spread((debt for debt in order.debts if debt.payable), amount)

    def pay_all(self, person: Person, token: str | None) -> tuple[str, list[tuple[Debt, int]]]:
        if self.source(person, token) is None:
            return "no_instrument", []
        return self.spread((d for d in person.debts if d.payable and not d.in_flight and not d.paused_at), None)

    def collect(self, order: Order, chosen: Collection[int], *, at: datetime) -> tuple[str, list[tuple[Debt, int]]]:
        """`chosen` are the numbers of the debts for which the person chose a day that is still to come."""
        if order.pauses:
            return "order_paused", []
        if sum(at - timedelta(days=1) < asked for asked in order.collects) >= COLLECTS_A_DAY:
            return "collect_too_often", []
        is_written_off = order.state in ("completed", "overdue") and not order.busy and order.is_written_off
        refused, lines = ("written_off", []) if is_written_off else self.pay(order, None, None)
        if refused in ("", "no_instrument") and not any(debt.payable and debt.due_at <= at for debt in order.debts):
            return "not_due_yet", []
        free = [debt for debt in order.debts if debt.payable and debt.due_at <= at and debt.sequence not in chosen]
        if refused in ("", "no_instrument") and not free:
            return "day_chosen", []
        if not refused:
            refused, lines = self.spread(free, None)
            order.collects.append(at)
        return refused, lines

    @staticmethod
    def spread(debts: Iterable[Debt], amount: int | None) -> tuple[str, list[tuple[Debt, int]]]:
        owed = list(debts)
        whole = sum(debt.payable for debt in owed)
        left = whole if amount is None else amount
        if not 0 < left <= whole:
            return "amount_invalid", []
        lines = []
        for debt in owed:
            part = min(left, debt.payable)
            left -= part
            lines.append((debt, part))
        return "", [line for line in lines if line[1]]

    def _gone(self, attempt: Attempt, *, at: datetime) -> bool:
        asks_min, finality = self.bank.accounts[attempt.token].patience
        return attempt.asks >= asks_min and at >= attempt.sent_at + finality
