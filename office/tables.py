"""Tables of figures: what each number is, which rows it leads to, and how it is drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from kernel.console_actions import Words
from kernel.money import Money
from kernel.templatetags.house import money
from office import rules
from office.queries.figures import Look, Sum
from office.rules import Chart


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it is read, and which rows it stands for: a metric, a key, and the day if it is one day's."""

    text: str
    metric: str = ""
    key: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One table of figures, its drawing if it has one, and what to know of it."""

    name: str
    title: Words
    head: tuple[Words, ...]
    rows: tuple[Row, ...]
    says: Words = ""
    chart: Chart | None = None
    series: tuple[Words, ...] = field(default=())

    @property
    def lines(self) -> list[Sequence[object]]:
        """As a file has it."""
        return [self.head, *([row.label, *(one.text for one in row.cells)] for row in self.rows)]


def by_day(days: Sequence[date], values: Sequence[Sequence[int]], text: Callable[[int], str]) -> Chart:
    most = max((value for row in values for value in row), default=0)
    return rules.columns([f"{day:%m-%d}" for day in days], values, texts(values, text), top=text(most) if most else "")


def texts(values: Iterable[Iterable[int]], text: Callable[[int], str]) -> list[list[str]]:
    return [[text(value) for value in row] for row in values]


def both(one: Sum, look: Look, metric: str, key: str, day: date) -> tuple[Cell, Cell]:
    return count(one, metric, key, day), Cell(money(Money(one.minor, look.currency)) if one.number else "–")


def count(one: Sum, metric: str, key: str, day: date | None = None) -> Cell:
    return Cell(f"{one.number}", metric, key, day) if one.number else Cell("–")


def amount(one: Sum, look: Look, metric: str, key: str, day: date | None = None) -> Cell:
    return Cell(money(Money(one.minor, look.currency)), metric, key, day) if one.number else Cell("–")


def plain(minor: int, look: Look) -> Cell:
    return Cell(money(Money(minor, look.currency)) if minor else "–")
