"""The definition of a kind of work: its description, how to find its rows, and how long they may wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from django.db.models import Model

#: An age, or a number of items where they have no age.
Limit: TypeAlias = timedelta | int
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def format_limit(limit: Limit) -> str:
    """A number, or a duration in the largest fitting unit: `90 s`, `5 min`, `36 h`, `3 d`."""
    if isinstance(limit, int):
        return str(limit)
    if not limit:
        return "at once"
    unit, word = _unit_of(limit)
    return f"{limit // unit} {word}"


def round_age(age: timedelta) -> timedelta:
    """The age rounded down to whole units of the same kind, to be formatted in another language."""
    unit, _word = _unit_of(age)
    return age // unit * unit


def _unit_of(age: timedelta) -> tuple[timedelta, str]:
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"))
    return next(((unit, word) for unit, word in units if age >= 2 * unit or age == unit), (_SECOND, "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """How to find the waiting rows, by a partial index of open work on `(realm, column)`: closed rows cost nothing."""

    model: type[Model]
    #: The time by which rows are ordered. Rows count once it has passed, unless `includes_future`.
    column: str
    includes_future: bool = False
    #: Rows count only when that time is at least this long ago.
    min_age: timedelta = timedelta()
    where: str = "true"
    #: The same condition as filters of the admin list.
    console_filters: Mapping[str, str] = field(default_factory=dict)
    #: The column that holds since when a row waits, if it is not `column`.
    since: str = ""
    #: The column whose values are counted separately, if any.
    group_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkKind:
    """One kind of work: its description, when it is late and when stuck, why then, and what to do about it."""

    description: str
    rationale: str
    #: What to do, a sentence or two at a time.
    steps: tuple[str, ...]
    #: Without limits it is a plain yes or no, such as whether the broker responds.
    late: Limit | None = None
    stuck: Limit | None = None
    rows: RowQuery | None = None

    @property
    def remedy(self) -> str:
        return " ".join(self.steps)

    @property
    def limits(self) -> Sequence[Limit]:
        """The distinct limits, `late` first."""
        return list(dict.fromkeys(limit for limit in (self.late, self.stuck) if limit is not None))
