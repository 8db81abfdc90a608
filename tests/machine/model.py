"""What must be true of orders, debts and people, told again in plain values, without the product's code.

It does not plan: which attempts are made, the product decides and the model is shown. What must follow from them, and
what must be refused, is decided here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.machine.debt import DAY, LOST, Debt, days_between, midnight_after

LIVE = ("created", "open", "completed", "overdue")
LIMIT, OPEN_MAX = 1_000_000, 20
KEPT, BREACHED, RIGHTED, CLEARED, HIGHEST, LOWEST = 2, -40, 40, 10, 950, 350
PARTS = 10_000


@dataclass(eq=False)
class Person:
    tokens: list[str] = field(default_factory=list)
    orders: list["Order"] = field(default_factory=list)
    score: int = 720

    @property
    def held(self) -> int:
        return sum(order.ceiling for order in self.orders if order.state == "open")

    @property
    def outstanding(self) -> int:
        return sum(order.owed for order in self.orders)

    def count(self, *states: str) -> int:
        return sum(order.state in states for order in self.orders)

    @property
    def debts(self) -> Iterator["Debt"]:
        return (debt for order in self.orders for debt in order.debts)

    def can_owe(self, more: int) -> bool:
        """Whether an assessment goes well."""
        within = self.held + self.outstanding + more <= LIMIT
        return within and not self.count("overdue") and self.count("open") < OPEN_MAX

    def add_points(self, points: int) -> None:
        self.score = max(LOWEST, min(HIGHEST, self.score + points))


@dataclass(eq=False, kw_only=True)
class Terms:
    """A service."""

    ceiling: int
    fixed: bool
    grace: timedelta
    daily: int = 0
    cap: int = 0


@dataclass(eq=False)
class Agreement:
    person: Person
    terms: Terms
    state: str = "active"

    @property
    def live(self) -> int:
        return sum(order.state in LIVE for order in self.person.orders if order.agreement is self)

    def stop(self) -> None:
        if self.state == "active":
            self.state = "closing"
        self.terminate_if_unused()

    def terminate_if_unused(self) -> None:
        if self.state == "closing" and not self.live:
            self.state = "terminated"


@dataclass(eq=False)
class Order:
    id: UUID
    agreement: Agreement
    state: str
    ceiling: int
    expires_at: datetime | None = None
    total: int | None = None
    final: tuple[int, datetime | None] | None = None
    broken_at: datetime | None = None
    reason: str = ""
    reference: str = ""
    paid_at: datetime | None = None
    debts: list[Debt] = field(default_factory=list)
    pauses: set[str] = field(default_factory=set)
    collects: list[datetime] = field(default_factory=list)

    @property
    def person(self) -> Person:
        return self.agreement.person

    @property
    def owed(self) -> int:
        return sum(debt.owed for debt in self.debts)

    @property
    def is_written_off(self) -> bool:
        return any(debt.state == LOST for debt in self.debts)

    @property
    def busy(self) -> bool:
        return any(debt.in_flight for debt in self.debts)

    @property
    def fixed(self) -> str:
        """Why what is owed cannot be changed."""
        return "deduction_in_flight" if self.busy else "written_off" if self.is_written_off else ""

    @property
    def touched(self) -> bool:
        """Whether any of it was collected."""
        return any(debt.paid for debt in self.debts)

    def complete(self, total: int, due_at: datetime | None, *, at: datetime) -> str:
        if self.final == (total, due_at):
            return ""
        if self.state != "open":
            return "order_state"
        if total > self.ceiling:
            return "above_ceiling"
        self.final, self.total, self.state = (total, due_at), total, "completed"
        if total:
            due = max(due_at or at, at)
            self.debts.append(Debt(self, 1, total, due, overdue_from=due + self.agreement.terms.grace))
        self.close_if_paid()
        return ""

    def close_if_paid(self) -> None:
        """Nothing is owed any more: the promise is kept."""
        if self.state in ("completed", "overdue") and not any(debt.payable for debt in self.debts):
            self.person.add_points(CLEARED if self.broken_at else KEPT if self.total else 0)
            self.state = "deducted"
            self.agreement.terminate_if_unused()

    def cancel(self, reason: str) -> str:
        if self.state == "cancelled" and self.reason == reason:
            return ""
        if self.state not in LIVE:
            return "order_state"
        if self.fixed or self.touched:
            return self.fixed or "already_collected"
        self.state, self.reason = "cancelled", reason
        self.revert_paid_elsewhere()
        self.forgive(self.debts)
        self.agreement.terminate_if_unused()
        return ""

    def lower(self, total: int) -> str:
        if self.total == total and self.state in ("completed", "overdue", "deducted"):
            return ""
        if self.state not in ("completed", "overdue"):
            return "order_state"
        if total > (self.total or 0):
            return "total_raised"
        if self.fixed:
            return self.fixed
        principal = self.debts[0]
        if total < principal.paid:
            return "already_collected"
        self.total = total
        if not total:
            self.revert_paid_elsewhere()
            self.forgive(self.debts)
        else:
            principal.amount = total
            principal.pay(0)
        self.close_if_paid()
        return ""

    def mark_paid(self, reference: str, paid_at: datetime, created_at: datetime, *, at: datetime) -> str:
        if reference == self.reference:
            return "" if paid_at == self.paid_at else "order_state"
        if paid_at > at or paid_at < created_at.replace(second=0, microsecond=0):
            return "times_invalid"
        if self.state not in ("completed", "overdue"):
            return "already_collected" if self.state == "deducted" else "order_state"
        if self.fixed or self.touched:
            return self.fixed or "already_collected"
        self.reference, self.paid_at = reference, paid_at
        if self.broken_at and paid_at < self.broken_at:
            self.revert_paid_elsewhere()
        self.debts[0].pay(self.debts[0].owed)
        self.forgive(self.debts[1:])
        self.close_if_paid()
        return ""

    def revert_paid_elsewhere(self) -> None:
        """It was never broken."""
        if self.broken_at:
            self.person.add_points(RIGHTED)
        self.broken_at = None

    def forgive(self, debts: list[Debt]) -> None:
        for debt in debts:
            if debt.owed:
                debt.end("waived")

    def write_off(self) -> str:
        late = [debt for debt in self.debts if debt.state == "overdue"]
        if self.is_written_off and not late:
            return ""
        if self.busy:
            return "deduction_in_flight"
        if not late or any(debt.paused_at for debt in self.debts):
            return "order_state"
        for debt in late:
            debt.end(LOST)
        return ""

    def pause(self, reason: str, *, at: datetime) -> str:
        if self.state not in ("completed", "overdue"):
            return "order_state"
        self.pauses.add(reason)
        for debt in self.debts:
            if debt.owed and debt.paused_at is None:
                debt.pause(at)
        return ""

    def resume(self, reason: str, *, at: datetime) -> None:
        last = self.pauses == {reason}
        self.pauses.discard(reason)
        for debt in self.debts:
            if last and debt.owed and debt.paused_at is not None:
                debt.resume(at)

    def mark_overdue(self, firsts: Mapping[tuple[UUID, int], datetime], *, at: datetime) -> None:
        """Its grace may have passed; not before a first attempt that was planned for an earlier time is made."""
        for debt in self.debts:
            if debt.overdue_from is not None and debt.overdue_from <= at and not debt.in_flight:
                first = firsts.get((self.id, debt.sequence))
                if first is not None and first <= debt.overdue_from:
                    continue
                debt.state, debt.overdue_from = "overdue", None
                debt.days, debt.day_end_at = days_between(debt.due_at, at), midnight_after(at)
                self.state, self.broken_at = "overdue", at
                self.person.add_points(BREACHED)

    def end_days(self, asked: Callable[[Debt, datetime], bool], *, at: datetime) -> None:
        """Every day that has ended is counted, and costs its late fee, unless we should have asked by then."""
        fee = next((debt for debt in self.debts[1:] if debt.owed), None)
        for debt in self.debts[:1]:
            if debt.in_flight or (fee and fee.in_flight):
                return
            while debt.day_end_at is not None and debt.day_end_at <= at:
                fee = self.end_day(debt, fee, debt.owed if asked(debt, debt.day_end_at) else 0)
                debt.day_end_at += DAY

    def end_day(self, debt: Debt, fee: Debt | None, costs: int) -> Debt | None:
        terms, before = self.agreement.terms, debt.units
        most = ((self.total or 0) * terms.cap * 2 + PARTS) // (2 * PARTS)
        debt.days += 1
        debt.units = max(before, min(before + costs * terms.daily, most * PARTS))
        accrued = debt.units // PARTS - before // PARTS
        if accrued and fee is None:
            fee = Debt(self, len(self.debts) + 1, 0, debt.due_at, state="overdue")
            self.debts.append(fee)
        if fee is not None:
            fee.amount += accrued
        return fee

    def expire(self, *, at: datetime) -> None:
        if self.state == "created" and self.expires_at and self.expires_at <= at:
            self.state = "expired"
            self.agreement.terminate_if_unused()
