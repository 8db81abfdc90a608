"""A question that is asked thousands of times: compiled once by the process, planned once by each connection.

Compiling and planning a wide question costs more than answering it from indexes. A pooler may hand each transaction
another connection; then, which questions this one knows is asked in the same transaction, once.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Expression
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

from kernel.arrays import writer
from kernel.instances import reader
from kernel.write_batching import write

_Row = TypeVar("_Row")


@cache
def schema() -> str:
    """The migrations that this code brings. Behind a pooler a question outlives a release on the line it was asked on.

    Of a column that has another type since, PostgreSQL would refuse to answer it: asked by the next release it is
    another question.
    """
    house = Path(__file__).resolve().parents[1]
    return " ".join(sorted(f"{path.parts[-3]}.{path.stem}" for path in house.glob("*/migrations/0*.py")))


class Question:
    """SQL over `$1`, `$2` …, whose types are named.

    Not `generic`: parsed once, and planned each time for its values. For what is best answered in another way for
    somebody with millions of rows than for most: one plan for all would read and sort all of theirs for a page.
    """

    #: All there are, by the names by which connections know them.
    by_name: Mapping[str, "Question"] = {}

    def __init__(self, sql: str, types: Sequence[str], *, generic: bool = True) -> None:
        self.sql = sql
        self._writers = [(place, written) for place, kind in enumerate(types) if (written := writer(kind))]
        self._name = f"q_{hashlib.sha256(repr((sql, types, schema())).encode()).hexdigest()[:24]}"
        self.prepare = f"PREPARE {self._name}{_listed(types)} AS {sql}"
        self._mode = f"SET LOCAL plan_cache_mode = force_{'generic' if generic else 'custom'}_plan; "
        self._ask = f"EXECUTE {self._name}{_listed([f'%s::{kind}' for kind in types])}"
        self._whole = re.sub(r"\$(\d+)", lambda n: f"%(v{n[1]})s::{types[int(n[1]) - 1]}", sql.replace("%", "%%"))
        Question.by_name = {**Question.by_name, self._name: self}

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """The answer for these values."""
        house = connections[DEFAULT_DB_ALIAS]
        line = _line(house)
        if not self._is_known(house, line):
            return self.rows_planned_anew(*values)
        with house.cursor() as cursor:
            cursor.execute(line.planned(self._mode, house) + self._ask, self._as_sent(values))
            return list(cursor.cursor.fetchall())  # the driver's own: everything is here already

    def rows_planned_anew(self, *values: Any) -> list[tuple[Any, ...]]:
        """The same, and nobody remembers that it was asked."""
        with connection.cursor() as cursor:
            self._execute_whole(cursor, values)
            return list(cursor.fetchall())

    def send(self, *values: Any) -> None:
        """The same for a statement that answers nothing, which may wait for others (kernel.write_batching)."""
        house = connections[DEFAULT_DB_ALIAS]
        line = _line(house)
        if self._is_known(house, line):
            write(line.planned(self._mode, house) + self._ask, self._as_sent(values))
        else:
            with house.cursor() as cursor:
                self._execute_whole(cursor, values)

    def _execute_whole(self, cursor: Any, values: Sequence[Any]) -> None:
        cursor.execute(self._whole, {f"v{place}": value for place, value in enumerate(self._as_sent(values), 1)})

    def _as_sent(self, values: Sequence[Any]) -> list[Any]:
        """Where many values are given as one, the array of them."""
        given = list(values)
        for place, written in self._writers:
            if given[place] is not None:
                given[place] = written(given[place])
        return given

    def _is_known(self, house: BaseDatabaseWrapper, line: "_Line") -> bool:
        """Whether whoever answers knows it, now that it was told; behind a pooler only inside a transaction.

        Outside of one, the message is a transaction of its own, so what is said in it of planning ends with it.
        """
        if not (line.direct or house.in_atomic_block):
            return False
        known = _known(house, line)
        if self._name not in known:
            line.known = None  # a time limit may strike when it is said and not yet written down
            with house.cursor() as cursor:
                cursor.execute(self.prepare)
            line.known = known | {self._name}
        return True


@dataclass(slots=True)
class _Line:
    """A line to the database: whether one server process answers on it for ever, and which questions that one knows.

    A pooler may put another behind each transaction; `hooks` are the transaction of which it was asked last. Where
    nobody could write down what it knows, it is asked.
    """

    direct: bool
    known: set[str] | None = field(default_factory=set)
    hooks: object = None
    #: How questions are planned until the end of a transaction, and of which.
    mode: str = ""
    mode_of: object = None

    def planned(self, mode: str, house: BaseDatabaseWrapper) -> str:
        """What is said before a question so that it is planned in this way: nothing where it was said already."""
        if not house.in_atomic_block:
            return mode
        if self.mode == mode and self.mode_of is house.run_on_commit:  # a new list in each transaction
            return ""
        self.mode, self.mode_of = mode, house.run_on_commit
        return mode


_lines: WeakKeyDictionary[Any, _Line] = WeakKeyDictionary()


def _listed(words: Sequence[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _known(house: BaseDatabaseWrapper, line: _Line) -> set[str]:
    """The names that whoever answers knows: asked once in each transaction behind a pooler."""
    if line.known is None or not (line.direct or line.hooks is house.run_on_commit):
        with house.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'q\\_%%'", [])
            line.known = {name for (name,) in cursor.fetchall()}
        line.hooks = house.run_on_commit
    return line.known


def _line(house: BaseDatabaseWrapper) -> _Line:
    """The line in use; whether it is direct is asked once."""
    line = _lines.get(house.connection) if house.connection else None
    if line is None:
        with house.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            raw = house.connection
            line = _lines[raw] = _Line(direct=cursor.fetchone() == (raw.info.backend_pid,))  # a pooler makes its own up
    return line


class Given(Expression):
    """A value that is given when the question is asked: the first, the second …, of a named type of PostgreSQL."""

    def __init__(self, place: int, kind: str) -> None:
        super().__init__(output_field=models.Field())
        self.place, self.kind = place, kind

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:  # noqa: ARG002  Django's
        return "%s", [self]


@models.ForeignKey.register_lookup
@models.Field.register_lookup
class AnyOf(Lookup):
    """`pk__any=keys`: as `in`, with one parameter however many keys there are."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} = ANY ({right})", [*left_params, *right_params]


class Reading(Generic[_Row]):
    """The rows of a queryset over values that are given later, as `types` names them: instances, or tuples of values.

    `build` is called once in the life of the process, and never with real values.
    """

    def __init__(
        self, build: Callable[..., "models.QuerySet[Any, _Row]"], types: Sequence[str], *, generic: bool = True
    ) -> None:
        self._build, self._types, self._generic = build, types, generic
        self._made: _Made[_Row] | None = None

    def rows(self, *values: Any) -> list[_Row]:
        """The rows for these values, as the queryset would have them.

        Raises:
            TransactionManagementError: it locks rows, and was asked outside a transaction.
        """
        made = self._made = self._made or self._compiled()
        if made.locks and not connection.in_atomic_block:
            raise TransactionManagementError("rows are locked inside a transaction only")
        return made.read(made.question.rows(*values))

    def give(self, rows: Sequence[models.Model], name: str) -> None:
        """Put what these rows name by a foreign key in its place: this reads it, by the keys.

        For a batch that is locked. Joined in the same question, which is planned once for all values, it would have
        all people there are read for a hundred rows.
        """
        keys = {getattr(row, f"{name}_id") for row in rows}
        found: dict[Any, Any] = {one.pk: one for one in self.rows(list(keys))} if keys else {}  # type: ignore[attr-defined]  # instances
        for row in rows:
            setattr(row, name, found[getattr(row, f"{name}_id")])

    @transaction.atomic
    def _compiled(self) -> "_Made[_Row]":
        query = self._build(*(Given(n, kind) for n, kind in enumerate(self._types, 1))).query
        compiler = query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        with connection.cursor() as cursor:
            spelled = sql % tuple(
                f"${p.place}" if isinstance(p, Given) else cursor.mogrify("%s", [p]).decode() for p in params
            )
        return _Made(
            Question(spelled, self._types, generic=self._generic), reader(compiler), locks=query.select_for_update
        )


@dataclass(frozen=True, slots=True)
class _Made(Generic[_Row]):
    """A queryset that was compiled: what is asked, how the answer is read, and whether it locks what it finds."""

    question: Question
    read: Callable[[list[tuple[Any, ...]]], list[_Row]]
    locks: bool


_SENT = re.compile(r"(?:SET LOCAL plan_cache_mode = force_\w+_plan; )?EXECUTE (q_\w+)(?: \((?:%s::[^,)]+(?:, )?)+\))?")


def spelled_out(sql: str) -> str:
    """The text behind each `EXECUTE q_…`, for whoever reads statements as they are sent; anything else as it is."""
    return _SENT.sub(lambda found: Question.by_name[found[1]].sql, sql)
