"""Base class of models with a state machine: rows are locked, change state, and record each step in a history."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import compress
from operator import is_not, itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

from django.db import models
from django_fsm import FSMField

from kernel.actor import Actor
from kernel.bulk_writes import insert_all, update_all
from kernel.models import History, Identified, to_plain_json
from kernel.prepared_statements import Parameter, PreparedQuery
from kernel.refusal import NotFound
from kernel.transactions import join_transaction

_L = TypeVar("_L", bound="Lifecycle")


class LifecycleQuerySet(models.QuerySet[_L]):
    #: All row locks are FOR NO KEY UPDATE: a plain FOR UPDATE also conflicts with inserts that reference the row by a
    #: foreign key, which once caused a deadlock of a sweep and a cancellation.

    def locked(self, key: UUID) -> _L:
        """Fetch the row and lock it until the transaction ends, so that decisions rest on its current values.

        Raises:
            NotFound: there is no such row.
            TransactionManagementError: no transaction is open.
        """
        found = self.locked_all([key])
        if not found:
            raise NotFound
        return found[0]

    def locked_all(self, keys: Iterable[UUID]) -> list[_L]:
        """Fetch and lock rows in the order of their keys, so that two callers cannot deadlock. Ignores filters.

        Raises:
            TransactionManagementError: no transaction is open.
        """
        wanted = list(keys)
        return _locked_rows_query(self.model).rows(wanted) if wanted else []

    def lock_all(self, keys: Iterable[UUID]) -> None:
        """Lock the rows in the same order without fetching them."""
        wanted = list(keys)
        if wanted:
            _lock_query(self.model).rows(wanted)


@cache
def _column_names(model: type["Lifecycle"]) -> tuple[str, ...]:
    """All columns except the primary key."""
    return tuple(f.attname for f in model._meta.concrete_fields if not f.primary_key)


@cache
def _value_getter(model: type["Lifecycle"]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A getter for the values of these columns."""
    return itemgetter(*_column_names(model))


@cache
def _lock_query(model: type["Lifecycle"]) -> PreparedQuery[tuple[UUID]]:
    return PreparedQuery(lambda keys: _for_update(model, keys).values_list("pk"), ["uuid[]"])


@cache
def _locked_rows_query(model: type[_L]) -> PreparedQuery[_L]:
    return PreparedQuery(lambda keys: _for_update(model, keys), ["uuid[]"])


def _for_update(model: type[_L], keys: Parameter) -> "models.QuerySet[_L]":
    rows: models.QuerySet[_L] = models.QuerySet(model).select_for_update(of=("self",), no_key=True)
    return rows.filter(pk__any=keys).order_by("pk")


class StateField(FSMField):
    """A state that only transitions may change. In migrations it is a plain CharField.

    Transitions are code, not schema. As an FSMField, each historical model would also stay connected to signals, which
    made the first migration run take twice as long.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, "django.db.models.CharField", args, kwargs


class Lifecycle(Identified):
    """A model whose `state` changes by transitions only, each step with a line of history.

    Only changed columns are written, so assign JSON columns a new value instead of changing them in place.
    """

    history_model: ClassVar[type[History]]
    #: The states a new row may be in.
    initial_states: ClassVar[tuple[str, ...]]

    version = models.PositiveIntegerField(default=0, editable=False)

    objects = LifecycleQuerySet.as_manager()

    class Meta:
        abstract = True

    #: The columns' values in the database, as far as this instance knows; empty before its first step.
    db_values: Mapping[str, Any] = MappingProxyType({})
    state: Any

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **how: Any) -> Self:
        row = super().from_db(db, field_names, values, **how)
        row.db_values = dict(zip(field_names, values, strict=False))
        return row

    @property
    def recorded_state(self) -> str:
        """The state of the last recorded step; empty before the first one."""
        return str(self.db_values.get("state", ""))

    @property
    def changed_columns(self) -> set[str]:
        """The columns whose values differ, or may differ, from the database."""
        saved, current, names = self.db_values, self.__dict__, _column_names(type(self))
        if not saved:
            return set(names)
        try:
            values = _value_getter(type(self))
            candidates = compress(names, map(is_not, values(current), values(saved)))
            return {name for name in candidates if saved[name] != current[name]}
        except KeyError:  # a deferred column
            return {name for name in names if name not in saved or saved[name] != getattr(self, name)}

    def mark_saved(self) -> None:
        """Note that the database now has this instance's values."""
        current = self.__dict__
        self.db_values = {name: current[name] for name in _column_names(type(self)) if name in current}

    def record(self, kind: str, *, by: Actor, at: datetime, **data: Any) -> History:
        """Save the step just taken and its line of history; postings of the step refer to that line."""
        return record_all([self], kind, by=by, at=at, data=[data])[0]

    def build_history_line(self, kind: str, *, by: Actor, at: datetime, data: dict[str, Any]) -> History:
        line = self.history_model(
            seq=self.version,
            kind=kind,
            source=self.recorded_state,
            target=self.state,
            by=str(by),
            at=at,
            data=to_plain_json(**data),
        )
        line.subject_id = self.id
        return line


def record_all(
    rows: Sequence[Lifecycle], kind: str, *, by: Actor, at: datetime, data: Sequence[dict[str, Any]] = ()
) -> list[History]:
    """Save one step of each of many rows of one model, and their lines of history, in two statements."""
    if not rows:
        return []
    lines = []
    for row, extra in zip(rows, data or [{}] * len(rows), strict=True):
        row.version += 1
        lines.append(row.build_history_line(kind, by=by, at=at, data=extra))
    with join_transaction():
        if rows[0].version == 1:
            insert_all(rows)
        else:
            changed = set().union(*(row.changed_columns for row in rows))
            update_all(rows, sorted(changed))
        insert_all(lines)
    for row in rows:
        row.mark_saved()
    return lines
