"""Terms of the return policy: who gets an early refund, before the returned goods arrive. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from credit.rules import limit_in_currency
from kernel.money import AMOUNT_MINOR_MAX, Money


@dataclass(frozen=True, slots=True)
class ReturnTerms:
    """Who gets an early refund, up to what amount, and how long a merchant has to answer a return."""

    #: Lowest credit score that gets an early refund; the person must also have nothing overdue.
    score_min: int
    #: Largest early refund of one return, in fen (converted for other currencies), and how many early refunds of one
    #: person may be undecided at a time.
    ceiling_minor: int
    open_max: int
    #: Days after an order's completion in which it can be returned.
    within_days: int
    #: Days a merchant has to answer, and how many days before that deadline they are reminded.
    answer_days: int
    remind_days: int

    @property
    def return_window(self) -> timedelta:
        return timedelta(days=self.within_days)

    def answer_until(self, at: datetime) -> datetime:
        """The deadline after which a merchant's silence counts as a confirmation."""
        return at + timedelta(days=self.answer_days)

    def remind_at(self, at: datetime) -> datetime:
        return self.answer_until(at) - timedelta(days=self.remind_days)

    def allows_early_refund(self, score: int, *, has_overdue: bool, open_returns: int, amount: Money) -> bool:
        """Whether a person with this score and these open returns gets this amount back before the goods arrive."""
        known = score >= self.score_min and not has_overdue
        return (
            known
            and open_returns < self.open_max
            and amount.minor <= limit_in_currency(self.ceiling_minor, amount.currency)
        )


#: The lowest and highest value of each term.
LIMITS = {
    "score_min": (350, 950),
    "ceiling_minor": (0, AMOUNT_MINOR_MAX),
    "open_max": (0, 100),
    "within_days": (1, 365),
    "answer_days": (2, 60),
    "remind_days": (1, 59),
}


def invalid_fields(terms: ReturnTerms) -> Iterator[str]:
    """The names of the fields whose values cannot be published."""
    for name, (low, high) in LIMITS.items():
        value = getattr(terms, name)
        if type(value) is not int or not low <= value <= high:
            yield name
    if type(terms.remind_days) is int and terms.remind_days >= terms.answer_days:
        yield "remind_days"
