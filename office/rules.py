"""Pure functions for reports: days, time-ordered keys, shares and chart layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

#: The most days a report may cover, and how many it covers by default.
DAYS_MAX, DEFAULT_DAYS = 366, 30
#: Deduction attempts from this one on are counted together.
ATTEMPT_MAX = 10
#: Recovery is reported within so many days of the due date; the last value means at any time.
RECOVERY_DAYS = (0, 1, 3, 7, 15, 30, 60, 90, 9999)
#: Ageing buckets in overdue days, the youngest first.
AGEING_BUCKETS = ("1-30", "31-60", "61-90", "90+")
#: The widest a bar gets.
BAR_WIDTH_MAX = 48
#: Rows are counted this long after they were written, when committed rows are visible to every connection.
VISIBILITY_LAG = timedelta(seconds=5)


def min_key_at(at: datetime) -> UUID:
    """The smallest UUIDv7 of this moment; such keys begin with their millisecond (RFC 9562)."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62)


def key_time(key: UUID) -> datetime:
    """The time in a UUIDv7 key."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def day_bounds(since: date, until: date, zone: str) -> tuple[datetime, datetime]:
    """The start of the first day and the end of the last day (exclusive) in the zone."""
    tz = ZoneInfo(zone)
    return datetime.combine(since, time(), tz), datetime.combine(until + timedelta(days=1), time(), tz)


def days_between(since: date, until: date) -> list[date]:
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]


def permille(part: int, whole: int) -> int | None:
    """A share in thousandths, rounded half up; None if the whole is zero."""
    return (2000 * part + whole) // (2 * whole) if whole > 0 else None


def percent(part: int, whole: int) -> str:
    """A share as `98.7%`; a dash if the whole is zero."""
    share = permille(part, whole)
    return "–" if share is None else f"{share // 10}.{share % 10}%"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart in SVG coordinates; `series` selects its colour."""

    x: int
    y: int
    width: int
    height: int
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart: the bars, the label of the highest value, and the labels of the x axis with their positions."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    top_label: str
    x_labels: tuple[tuple[int, str], ...]


def column_chart(
    groups: Sequence[str],
    series: Sequence[Sequence[int]],
    value_labels: Sequence[Sequence[str]],
    *,
    top_label: str = "",
) -> Chart:
    """A chart with one bar per series in each group. Zero values get no bar."""
    width, height = 720, 160
    peak = max((value for row in series for value in row), default=0)
    slot = width / max(1, len(groups))
    bar_width = max(1, min(BAR_WIDTH_MAX, int(slot * 0.8 / max(1, len(series)))))
    bars = [
        Bar(
            int(slot * (place + 0.5) - bar_width * len(series) / 2) + bar_width * number,
            height - bar_height,
            bar_width,
            bar_height,
            number,
            f"{groups[place]}: {value_labels[number][place]}",
        )
        for number, row in enumerate(series)
        for place, value in enumerate(row)
        if value > 0 and (bar_height := max(1, height * value // peak))
    ]
    label_step = max(1, -(-len(groups) // 8))
    x_labels = tuple((int(slot * (place + 0.5)), name) for place, name in enumerate(groups) if place % label_step == 0)
    return Chart(width, height, tuple(bars), top_label, x_labels)


def running_totals(values: Sequence[int]) -> list[int]:
    """Cumulative sums."""
    sums = [0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums[1:]


def roll_rates(entered: Sequence[tuple[str, int, int]]) -> list[tuple[str, str, int, int]]:
    """From `(bucket, entered, rolled in from the bucket before)`: (from, to, rolled, base) of each pair of buckets."""
    return [(a[0], b[0], b[2], a[1]) for a, b in pairwise(entered)]
