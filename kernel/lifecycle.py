"""A life with guarded steps: locked, moved, told. What stands here is the same for every such row."""

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
from kernel.models import History, Identified, snapshot
from kernel.prepared import Given, Reading
from kernel.refusal import NotFound
from kernel.transactions import joined
from kernel.writes import insert_all, update_all

_L = TypeVar("_L", bound="Lifecycle")


class LifecycleQuerySet(models.QuerySet[_L]):
    #: Every lock of the house is FOR NO KEY UPDATE: a plain FOR UPDATE would also wait for, and hold up, whoever merely
    #: names the row in a foreign key, which is how a sweep and a cancellation stood in each other's way for ever.

    def locked(self, key: UUID) -> _L:
        """The row, locked until the transaction ends: what is decided next is decided on what is true.

        Raises:
            NotFound: there is no such row.
            TransactionManagementError: asked outside a transaction.
        """
        found = self.locked_all([key])
        if not found:
            raise NotFound
        return found[0]

    def locked_all(self, keys: Iterable[UUID]) -> list[_L]:
        """Rows of the whole table, locked in the order of their keys, so that two callers cannot wait for each other.

        Raises:
            TransactionManagementError: asked outside a transaction.
        """
        wanted = list(keys)
        return _locking(self.model).rows(wanted) if wanted else []

    def lock_all(self, keys: Iterable[UUID]) -> None:
        """The same rows locked in the same order, and not read."""
        wanted = list(keys)
        if wanted:
            _lock(self.model).rows(wanted)


@cache
def _columns(model: type["Lifecycle"]) -> tuple[str, ...]:
    """All but the key."""
    return tuple(f.attname for f in model._meta.concrete_fields if not f.primary_key)


@cache
def _values(model: type["Lifecycle"]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """The values of these columns."""
    return itemgetter(*_columns(model))


@cache
def _lock(model: type["Lifecycle"]) -> Reading[tuple[UUID]]:
    return Reading(lambda keys: _chosen(model, keys).values_list("pk"), ["uuid[]"])


@cache
def _locking(model: type[_L]) -> Reading[_L]:
    return Reading(lambda keys: _chosen(model, keys), ["uuid[]"])


def _chosen(model: type[_L], keys: Given) -> "models.QuerySet[_L]":
    rows: models.QuerySet[_L] = models.QuerySet(model).select_for_update(of=("self",), no_key=True)
    return rows.filter(pk__any=keys).order_by("pk")


class StateField(FSMField):
    """A state that its transitions alone may move. To the schema and its migrations it is a column like any other.

    What moves it is the code's, not the schema's; and each model that a migration draws would otherwise stay in the
    ear of every later one, which made a first start twice as long.
    """

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        kwargs.pop("protected", None)
        return name, "django.db.models.CharField", args, kwargs


class Lifecycle(Identified):
    """A row whose `state` moves by its transitions only, each step with a line of history.

    Only what changed is written, so a JSON column is given another value and never changed in place.
    """

    history_model: ClassVar[type[History]]
    #: The states a new row may be in.
    begins: ClassVar[tuple[str, ...]]

    version = models.PositiveIntegerField(default=0, editable=False)

    objects = LifecycleQuerySet.as_manager()

    class Meta:
        abstract = True

    #: The columns as they stand in the database, as far as this instance knows; none before its first line.
    kept: Mapping[str, Any] = MappingProxyType({})
    state: Any

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **how: Any) -> Self:
        row = super().from_db(db, field_names, values, **how)
        row.kept = dict(zip(field_names, values, strict=False))
        return row

    @property
    def told(self) -> str:
        """`state` as the row's history last told it; empty before the first line."""
        return str(self.kept.get("state", ""))

    @property
    def changed(self) -> set[str]:
        """The columns whose values are not, or may not be, those in the database."""
        kept, here, names = self.kept, self.__dict__, _columns(type(self))
        if not kept:
            return set(names)
        try:
            values = _values(type(self))
            others = compress(names, map(is_not, values(here), values(kept)))
            return {name for name in others if kept[name] != here[name]}
        except KeyError:  # one that was not read
            return {name for name in names if name not in kept or kept[name] != getattr(self, name)}

    def now_kept(self) -> None:
        """The row stands in the database as it stands here."""
        here = self.__dict__
        self.kept = {name: here[name] for name in _columns(type(self)) if name in here}

    def record(self, kind: str, *, by: Actor, at: datetime, **data: Any) -> History:
        """Write the step just taken and its line of history, together; the line is what money moved by it names."""
        return record_all([self], kind, by=by, at=at, data=[data])[0]

    def line(self, kind: str, *, by: Actor, at: datetime, data: dict[str, Any]) -> History:
        line = self.history_model(
            seq=self.version,
            kind=kind,
            source=self.told,
            target=self.state,
            by=str(by),
            at=at,
            data=snapshot(**data),
        )
        line.subject_id = self.id
        return line


def record_all(
    rows: Sequence[Lifecycle], kind: str, *, by: Actor, at: datetime, data: Sequence[dict[str, Any]] = ()
) -> list[History]:
    """Write one step of each of many rows of one kind, and their lines of history, in two statements."""
    if not rows:
        return []
    lines = []
    for row, extra in zip(rows, data or [{}] * len(rows), strict=True):
        row.version += 1
        lines.append(row.line(kind, by=by, at=at, data=extra))
    with joined():
        if rows[0].version == 1:
            insert_all(rows)
        else:
            changed = set().union(*(row.changed for row in rows))
            update_all(rows, sorted(changed))
        insert_all(lines)
    for row in rows:
        row.now_kept()
    return lines
