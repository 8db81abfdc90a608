"""A kind of work: what it is in words, where its rows are, and how long it may wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from django.db.models import Model

#: An age, or a number where nothing has one.
Limit: TypeAlias = timedelta | int
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def plainly(limit: Limit) -> str:
    """A number, or a time in whole units that are large enough: `90 s`, `5 min`, `36 h`, `3 d`."""
    if isinstance(limit, int):
        return str(limit)
    if not limit:
        return "at once"
    unit, word = _unit_of(limit)
    return f"{limit // unit} {word}"


def rounded(age: timedelta) -> timedelta:
    """The same in whole units, for whoever writes it in another language."""
    unit, _word = _unit_of(age)
    return age // unit * unit


def _unit_of(age: timedelta) -> tuple[timedelta, str]:
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"))
    return next(((unit, word) for unit, word in units if age >= 2 * unit or age == unit), (_SECOND, "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that wait, on an index of open work `(realm, column)`: the question costs what waits, not what ever was."""

    model: type[Model]
    #: What orders them; rows whose time has not come by it do not count, unless `whole`.
    column: str
    whole: bool = False
    #: How long after that they count.
    after: timedelta = timedelta()
    where: str = "true"
    #: The same for the console's list.
    look: Mapping[str, str] = field(default_factory=dict)
    #: Since when a row waits, if not since `column`.
    since: str = ""
    #: The column that tells rows of one kind apart.
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work: in plain words, when it is late and when stuck, because of what, and what to do then."""

    says: str
    because: str
    #: What to do, a sentence or two at a time.
    steps: tuple[str, ...]
    #: Where there are none, either it is or it is not.
    late: Limit | None = None
    stuck: Limit | None = None
    rows: Rows | None = None

    @property
    def do(self) -> str:
        return " ".join(self.steps)

    @property
    def limits(self) -> Sequence[Limit]:
        """When it is late and when stuck; nothing where it either is or is not."""
        return list(dict.fromkeys(limit for limit in (self.late, self.stuck) if limit is not None))
