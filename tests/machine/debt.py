"""A model of an obligation, and the days in China's time zone by which it becomes overdue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

CHINA, DAY = timedelta(hours=8), timedelta(days=1)
OWED, LOST = ("pending", "overdue"), "written_off"


def midnight_after(at: datetime) -> datetime:
    """The end of the Chinese day in which `at` lies."""
    return (at + CHINA).replace(hour=0, minute=0, second=0, microsecond=0) + DAY - CHINA


def days_between(first: datetime, last: datetime) -> int:
    return ((last + CHINA).date() - (first + CHINA).date()).days


@dataclass(eq=False)
class Debt:
    """An obligation."""

    order: Any
    sequence: int
    amount: int
    due_at: datetime
    state: str = "pending"
    paid: int = 0
    attempts: int = 0
    in_flight: UUID | None = None
    overdue_from: datetime | None = None
    day_end_at: datetime | None = None
    paused_at: datetime | None = None
    left: timedelta | None = None
    days: int = 0
    units: int = 0

    @property
    def owed(self) -> int:
        return self.amount - self.paid if self.state in OWED else 0

    @property
    def payable(self) -> int:
        """What its person can pay: also what was given up."""
        return self.amount - self.paid if self.state in (*OWED, LOST) else 0

    @property
    def principal(self) -> bool:
        return self.sequence == 1

    def end(self, state: str) -> None:
        self.state = state
        self.overdue_from = self.day_end_at = self.paused_at = self.left = None

    def pay(self, amount: int) -> None:
        self.paid += amount
        if self.paid == self.amount:
            self.end("paid")

    def pause(self, at: datetime) -> None:
        self.left = self.overdue_from - at if self.overdue_from else None
        self.paused_at, self.overdue_from, self.day_end_at = at, None, None

    def resume(self, at: datetime) -> None:
        self.overdue_from = None if self.left is None else at + self.left
        self.paused_at = self.left = None
        self.day_end_at = midnight_after(at) if self.state == "overdue" else None
