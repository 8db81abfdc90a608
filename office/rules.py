"""Days, keys and the arithmetic of charts: plain values in, plain values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

#: A page of figures looks at no more days than these, and at so many where nobody says which.
DAYS_MAX, DAYS_SHOWN = 366, 30
#: Attempts from this one on are counted together.
ATTEMPT_MAX = 10
#: Money is said to have come within so many days of its due day; the last one is whenever.
WITHIN_DAYS = (0, 1, 3, 7, 15, 30, 60, 90, 9999)
#: Ageing buckets, the youngest first.
BUCKETS = ("1-30", "31-60", "61-90", "90+")
#: A bar is no thicker than this, however few there are.
THICK_MAX = 48
#: A tally's clock: what was written this long ago by a transaction that has ended is seen by everybody.
SETTLED_AFTER = timedelta(seconds=5)


def edge(at: datetime) -> UUID:
    """The first key that can have been made at this moment: keys begin with their millisecond (RFC 9562)."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62)


def made_at(key: UUID) -> datetime:
    """When a key was made."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def bounds(since: date, until: date, zone: str) -> tuple[datetime, datetime]:
    """From the first moment of one day to the first moment after the other."""
    here = ZoneInfo(zone)
    return datetime.combine(since, time(), here), datetime.combine(until + timedelta(days=1), time(), here)


def days_between(since: date, until: date) -> list[date]:
    return [since + timedelta(days=n) for n in range((until - since).days + 1)]


def permille(part: int, whole: int) -> int | None:
    """A share in thousandths, rounded half up; None of nothing."""
    return (2000 * part + whole) // (2 * whole) if whole > 0 else None


def percent(part: int, whole: int) -> str:
    """`98.7%`; a dash where there is nothing to share."""
    share = permille(part, whole)
    return "–" if share is None else f"{share // 10}.{share % 10}%"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart in its own coordinates; `series` says which colour it has."""

    x: int
    y: int
    width: int
    height: int
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of bars, with what the tallest stands for and where the labels below stand."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    top: str
    below: tuple[tuple[int, str], ...]


def columns(
    groups: Sequence[str], series: Sequence[Sequence[int]], shown: Sequence[Sequence[str]], *, top: str = ""
) -> Chart:
    """Bars side by side: for each group one of every series. Bars of nothing have no height, and so none is drawn."""
    width, height = 720, 160
    most = max((value for row in series for value in row), default=0)
    slot = width / max(1, len(groups))
    thick = max(1, min(THICK_MAX, int(slot * 0.8 / max(1, len(series)))))
    bars = [
        Bar(
            int(slot * (place + 0.5) - thick * len(series) / 2) + thick * number,
            height - tall,
            thick,
            tall,
            number,
            f"{groups[place]}: {shown[number][place]}",
        )
        for number, row in enumerate(series)
        for place, value in enumerate(row)
        if value > 0 and (tall := max(1, height * value // most))
    ]
    every = max(1, -(-len(groups) // 8))
    below = tuple((int(slot * (place + 0.5)), name) for place, name in enumerate(groups) if place % every == 0)
    return Chart(width, height, tuple(bars), top, below)


def running(values: Sequence[int]) -> list[int]:
    """What each comes to together with all before it."""
    sums = [0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums[1:]


def rolls(entered: Sequence[tuple[str, int, int]]) -> list[tuple[str, str, int, int]]:
    """Of `(bucket, all that came into it, those that came from the one before)`: from, to, how many of how many."""
    return [(a[0], b[0], b[2], a[1]) for a, b in pairwise(entered)]
