"""Prepared statements: a query compiled once per process and planned once per connection.

Compiling and planning a wide query costs more than executing it on indexes. A pooler may use another connection for
each transaction; then the statements which that one has prepared are looked up once in each transaction.
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

from kernel.arrays import array_formatter
from kernel.row_readers import row_reader
from kernel.write_batching import discard_count, execute_write

_R = TypeVar("_R")


@cache
def schema_version() -> str:
    """The migrations of this release. They are part of a statement's name.

    Behind a pooler, a prepared statement outlives a release. PostgreSQL would refuse it once a column it reads has
    another type, so each schema has its own statements.
    """
    root = Path(__file__).resolve().parents[1]
    return " ".join(sorted(f"{path.parts[-3]}.{path.stem}" for path in root.glob("*/migrations/0*.py")))


class PreparedStatement:
    """SQL over `$1`, `$2` …, whose types are named.

    If not `generic`, it is parsed once, but planned each time for its values: for queries whose best plan for somebody
    with millions of rows differs from the one for most. A common plan would read and sort all those rows for one page.
    """

    #: All statements by the names under which they are prepared.
    by_name: Mapping[str, "PreparedStatement"] = {}

    def __init__(self, sql: str, types: Sequence[str], *, generic: bool = True) -> None:
        self.sql = sql
        self._array_formatters = [
            (place, written) for place, kind in enumerate(types) if (written := array_formatter(kind))
        ]
        self._name = f"q_{hashlib.sha256(repr((sql, types, schema_version())).encode()).hexdigest()[:24]}"
        self.prepare = f"PREPARE {self._name}{_parenthesized(types)} AS {sql}"
        self._plan_mode_sql = f"SET LOCAL plan_cache_mode = force_{'generic' if generic else 'custom'}_plan; "
        self._execute_sql = f"EXECUTE {self._name}{_parenthesized([f'%s::{kind}' for kind in types])}"
        self._plain_sql = re.sub(r"\$(\d+)", lambda n: f"%(v{n[1]})s::{types[int(n[1]) - 1]}", sql.replace("%", "%%"))
        PreparedStatement.by_name = {**PreparedStatement.by_name, self._name: self}

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """The result rows for these values."""
        database = connections[DEFAULT_DB_ALIAS]
        state = _state_of(database)
        if not self._ensure_prepared(database, state):
            return self.rows_unprepared(*values)
        params = self._format_values(values)
        with database.cursor() as cursor:
            sql = state.plan_mode_prefix(self._plan_mode_sql, database) + self._execute_sql
            try:
                cursor.execute(sql, params)
            except BaseException:
                state.plan_mode = ""  # perhaps it was never sent, for example because of a NUL in a text
                raise
            return list(cursor.cursor.fetchall())  # the driver's own cursor: all rows are here already

    def rows_unprepared(self, *values: Any) -> list[tuple[Any, ...]]:
        """The same without preparing the statement."""
        with connection.cursor() as cursor:
            self._execute_unprepared(cursor, values)
            return list(cursor.fetchall())

    def execute(self, *values: Any) -> None:
        """Execute a statement that returns no rows; it may be held back (kernel.write_batching)."""
        database = connections[DEFAULT_DB_ALIAS]
        state = _state_of(database)
        if self._ensure_prepared(database, state):
            params = self._format_values(values)
            execute_write(state.plan_mode_prefix(self._plan_mode_sql, database) + self._execute_sql, params)
        else:
            with database.cursor() as cursor:
                self._execute_unprepared(cursor, values)

    def _execute_unprepared(self, cursor: Any, values: Sequence[Any]) -> None:
        cursor.execute(
            self._plain_sql, {f"v{place}": value for place, value in enumerate(self._format_values(values), 1)}
        )

    def _format_values(self, values: Sequence[Any]) -> list[Any]:
        """The values as they are sent, with sequences as array literals."""
        formatted = list(values)
        for position, to_array in self._array_formatters:
            if formatted[position] is not None:
                formatted[position] = to_array(formatted[position])
        return formatted

    def _ensure_prepared(self, database: BaseDatabaseWrapper, state: "_ConnectionState") -> bool:
        """Prepare it on this connection if needed. Returns False behind a pooler outside a transaction.

        On a direct connection outside a transaction each message is a transaction, so the plan mode ends with it.
        """
        if not (state.is_direct or database.in_atomic_block):
            return False
        known = _prepared_names(database, state)
        if self._name not in known:
            state.prepared = None  # looked up again if a time limit interrupts this before the next assignment
            with database.cursor() as cursor:
                cursor.execute(self.prepare)
            state.prepared = known | {self._name}
        return True


@dataclass(slots=True)
class _ConnectionState:
    """A connection's state: whether it is a direct connection to one server process, and what is prepared on it.

    A pooler may use another server process for each transaction: `prepared_in` identifies the transaction in which
    `prepared` was looked up. If `prepared` is None it is looked up again.
    """

    is_direct: bool
    prepared: set[str] | None = field(default_factory=set)
    prepared_in: object = None
    #: The plan mode that is set until the end of a transaction, which transaction that is, and how many batches of
    #: writes were discarded before: discarding another one may discard the statement that sets the mode.
    plan_mode: str = ""
    plan_mode_in: object = None
    plan_mode_discards: int = 0

    def plan_mode_prefix(self, mode: str, database: BaseDatabaseWrapper) -> str:
        """The SQL that sets the plan mode; empty if it is already set in this transaction."""
        if not database.in_atomic_block:
            return mode
        discards = discard_count()
        if (
            self.plan_mode == mode
            and self.plan_mode_in is database.run_on_commit  # a new list in each transaction
            and self.plan_mode_discards == discards
        ):
            return ""
        self.plan_mode, self.plan_mode_in, self.plan_mode_discards = mode, database.run_on_commit, discards
        return mode


_states: WeakKeyDictionary[Any, _ConnectionState] = WeakKeyDictionary()


def _parenthesized(words: Sequence[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _prepared_names(database: BaseDatabaseWrapper, state: _ConnectionState) -> set[str]:
    """The names of the statements prepared on this connection; looked up once per transaction behind a pooler."""
    if state.prepared is None or not (state.is_direct or state.prepared_in is database.run_on_commit):
        with database.cursor() as cursor:
            cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'q\\_%%'", [])
            state.prepared = {name for (name,) in cursor.fetchall()}
        state.prepared_in = database.run_on_commit
    return state.prepared


def _state_of(database: BaseDatabaseWrapper) -> _ConnectionState:
    """The state of the connection in use. Whether it is direct is found out once.

    A lost connection is replaced here: the cursor that checks it would be on the new one, where nothing is prepared.
    """
    database.close_if_health_check_failed()
    state = _states.get(database.connection) if database.connection else None
    if state is None:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            raw = database.connection
            is_direct = cursor.fetchone() == (raw.info.backend_pid,)  # a pooler reports a made-up process id
            state = _states[raw] = _ConnectionState(is_direct=is_direct)
    return state


class Parameter(Expression):
    """A value that is passed when the query is executed: its position, and its PostgreSQL type."""

    def __init__(self, position: int, kind: str) -> None:
        super().__init__(output_field=models.Field())
        self.position, self.kind = position, kind

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


class PreparedQuery(Generic[_R]):
    """A prepared queryset with parameters of the given `types`. Its rows are instances, or tuples of values.

    `build` gets the parameters and returns the queryset; it is called once per process, never with real values.
    """

    def __init__(
        self, build: Callable[..., "models.QuerySet[Any, _R]"], types: Sequence[str], *, generic: bool = True
    ) -> None:
        self._build, self._types, self._generic = build, types, generic
        self._compiled: _CompiledQuery[_R] | None = None

    def rows(self, *values: Any) -> list[_R]:
        """The rows for these values, as the queryset would have them.

        Raises:
            TransactionManagementError: it locks rows, and no transaction is open.
        """
        compiled = self._compiled = self._compiled or self._compile()
        if compiled.locks_rows and not connection.in_atomic_block:
            raise TransactionManagementError("rows are locked inside a transaction only")
        return compiled.read(compiled.statement.rows(*values))

    def attach_related(self, rows: Sequence[models.Model], name: str) -> None:
        """Set the foreign key `name` of these rows to the related rows, which this query reads by their keys.

        For locked batches. With a join, the plan for all values would read the whole related table for a hundred rows.
        """
        keys = {getattr(row, f"{name}_id") for row in rows}
        found: dict[Any, Any] = {related.pk: related for related in self.rows(list(keys))} if keys else {}  # type: ignore[attr-defined]  # instances
        for row in rows:
            setattr(row, name, found[getattr(row, f"{name}_id")])

    @transaction.atomic
    def _compile(self) -> "_CompiledQuery[_R]":
        query = self._build(*(Parameter(n, kind) for n, kind in enumerate(self._types, 1))).query
        compiler = query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        with connection.cursor() as cursor:
            numbered = sql % tuple(
                f"${p.position}" if isinstance(p, Parameter) else cursor.mogrify("%s", [p]).decode() for p in params
            )
        return _CompiledQuery(
            PreparedStatement(numbered, self._types, generic=self._generic),
            row_reader(compiler),
            locks_rows=query.select_for_update,
        )


@dataclass(frozen=True, slots=True)
class _CompiledQuery(Generic[_R]):
    """A compiled queryset: its statement, the function that reads the result, and whether it locks rows."""

    statement: PreparedStatement
    read: Callable[[list[tuple[Any, ...]]], list[_R]]
    locks_rows: bool


_EXECUTE_RE = re.compile(
    r"(?:SET LOCAL plan_cache_mode = force_\w+_plan; )?EXECUTE (q_\w+)(?: \((?:%s::[^,)]+(?:, )?)+\))?"
)


def expand_sql(sql: str) -> str:
    """Replace each `EXECUTE q_…` by the statement's SQL, to read statements as they are sent."""
    return _EXECUTE_RE.sub(lambda match: PreparedStatement.by_name[match[1]].sql, sql)
