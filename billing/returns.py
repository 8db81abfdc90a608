"""For whom money is given back ahead of a return: terms of a policy, and what follows from them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from credit.rules import in_currency
from kernel.money import MOST_MINOR, Money


@dataclass(frozen=True, slots=True)
class Terms:
    """Who is given money back before the goods are there, how much, and how long a merchant may take to answer."""

    #: From this promise score up, and to whoever owes nothing overdue.
    score_min: int
    #: At most so many hundredths of a yuan for one return (of another currency what a limit of that would be), and for
    #: so many returns of one person at a time.
    ceiling_minor: int
    open_max: int
    #: So many days after an order ended it may be sent back.
    within_days: int
    #: So many days a merchant has to answer, and so many before their end they are reminded.
    answer_days: int
    remind_days: int

    @property
    def within(self) -> timedelta:
        return timedelta(days=self.within_days)

    def until(self, at: datetime) -> datetime:
        """When a merchant's silence counts as a yes."""
        return at + timedelta(days=self.answer_days)

    def remind_at(self, at: datetime) -> datetime:
        return self.until(at) - timedelta(days=self.remind_days)

    def trusts(self, score: int, *, overdue: bool, undecided: int, amount: Money) -> bool:
        """Whether so much is given back at once to somebody who stands like that."""
        known = score >= self.score_min and not overdue
        return known and undecided < self.open_max and amount.minor <= in_currency(self.ceiling_minor, amount.currency)


#: The lowest and the highest that each term can be.
SPANS = {
    "score_min": (350, 950),
    "ceiling_minor": (0, MOST_MINOR),
    "open_max": (0, 100),
    "within_days": (1, 365),
    "answer_days": (2, 60),
    "remind_days": (1, 59),
}


def wrong_in(terms: Terms) -> Iterator[str]:
    """The names of what cannot be published."""
    for name, (low, high) in SPANS.items():
        value = getattr(terms, name)
        if type(value) is not int or not low <= value <= high:
            yield name
    if type(terms.remind_days) is int and terms.remind_days >= terms.answer_days:
        yield "remind_days"
