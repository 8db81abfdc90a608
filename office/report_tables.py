"""Building blocks of report tables: cells, rows, panels and charts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from kernel.console_actions import StrOrPromise
from kernel.money import Money
from kernel.templatetags.formatting import money
from office import rules
from office.queries.reports import ReportFilter, Total
from office.rules import Chart


@dataclass(frozen=True, slots=True)
class Cell:
    """A formatted figure and the tallies it comes from: metric, key, and the day if it is one day's."""

    text: str
    metric: str = ""
    key: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class PanelRow:
    """A row of a panel's table."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One table of a report, with an explanatory note and a chart if it has one."""

    name: str
    title: StrOrPromise
    headers: tuple[StrOrPromise, ...]
    rows: tuple[PanelRow, ...]
    note: StrOrPromise = ""
    chart: Chart | None = None
    series: tuple[StrOrPromise, ...] = field(default=())

    @property
    def csv_rows(self) -> list[Sequence[object]]:
        """The table as rows of a CSV file."""
        return [self.headers, *([row.label, *(cell.text for cell in row.cells)] for row in self.rows)]


def daily_chart(days: Sequence[date], values: Sequence[Sequence[int]], text: Callable[[int], str]) -> Chart:
    peak = max((value for row in values for value in row), default=0)
    return rules.column_chart(
        [f"{day:%m-%d}" for day in days], values, format_values(values, text), top_label=text(peak) if peak else ""
    )


def format_values(values: Iterable[Iterable[int]], text: Callable[[int], str]) -> list[list[str]]:
    return [[text(value) for value in row] for row in values]


def count_and_amount(total: Total, filters: ReportFilter, metric: str, key: str, day: date) -> tuple[Cell, Cell]:
    return count_cell(total, metric, key, day), Cell(
        money(Money(total.amount_minor, filters.currency)) if total.count else "–"
    )


def count_cell(total: Total, metric: str, key: str, day: date | None = None) -> Cell:
    return Cell(f"{total.count}", metric, key, day) if total.count else Cell("–")


def amount_cell(total: Total, filters: ReportFilter, metric: str, key: str, day: date | None = None) -> Cell:
    return Cell(money(Money(total.amount_minor, filters.currency)), metric, key, day) if total.count else Cell("–")


def money_cell(minor: int, filters: ReportFilter) -> Cell:
    return Cell(money(Money(minor, filters.currency)) if minor else "–")
