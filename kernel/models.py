from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.base import ModelState
from django.db.models.functions import Now

from kernel import guards, ids

#: The live realm's primary key, created by the first migration.
LIVE = 1


@dataclass(frozen=True, slots=True)
class _RowDefaults:
    """A model's defaults for new rows: constant values, factories for the others, and the names of the relations that
    were passed.
    """

    constants: dict[str, Any]
    factories: tuple[tuple[str, Callable[[], Any]], ...]
    relations: frozenset[str]

    @classmethod
    @cache
    def for_given(cls, model: type[models.Model], given: tuple[str, ...]) -> Self | None:
        """The defaults when these arguments are passed; None if one is not a field, which Django then refuses."""
        defaults = cls._for_model(model)
        relations = defaults.relations & set(given)
        if not defaults.constants.keys() >= set(given) - relations:
            return None
        return cls(defaults.constants, tuple(one for one in defaults.factories if one[0] not in given), relations)

    @classmethod
    @cache
    def _for_model(cls, model: type[models.Model]) -> Self:
        fields = [f for f in model._meta.concrete_fields if not f.generated]
        called = [f for f in fields if f.has_default() and callable(f.default)]
        db_filled = [f for f in fields if f.has_db_default() and f not in called]
        return cls(
            constants={f.attname: None if f in called or f in db_filled else f.get_default() for f in fields},
            factories=tuple([(f.attname, f.default) for f in called] + [(f.attname, f.get_default) for f in db_filled]),
            relations=frozenset(f.name for f in fields if f.name != f.attname),
        )


class FastInitModel(models.Model):
    """A model with a fast constructor and `from_db`, which set all fields at once and send no signals."""

    class Meta:
        abstract = True

    def __init__(self, *values: Any, **given: Any) -> None:
        defaults = None if values else _RowDefaults.for_given(type(self), tuple(given))
        if defaults is None:
            super().__init__(*values, **given)
            return
        attributes = self.__dict__
        attributes["_state"] = ModelState()
        attributes.update(defaults.constants)
        for name, factory in defaults.factories:
            attributes[name] = factory()
        related = [(name, given.pop(name)) for name in defaults.relations]
        attributes.update(given)
        for name, row in related:
            setattr(self, name, row)

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **how: Any) -> Self:
        if how or len(values) != len(cls._meta.concrete_fields):
            return super().from_db(db, field_names, values, **how)
        row = cls.__new__(cls)
        row._state = ModelState()
        row._state.adding, row._state.db = False, db
        row.__dict__.update(zip(field_names, values, strict=True))
        return row


class Realm(FastInitModel):
    """An isolated environment with its own clock: live, or one merchant's sandbox. No data crosses realms."""

    id = models.BigAutoField(primary_key=True)
    mode = models.CharField(max_length=4, choices=[("live", "live"), ("test", "test")])
    clock_offset = models.DurationField(default=timedelta)
    frozen_at = models.DateTimeField(null=True, blank=True)
    #: The process that is moving its clock forward, and when its claim expires in real time.
    moved_by = models.UUIDField(null=True, blank=True)
    moved_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="only_realm_1_is_live",
                condition=Q(id=LIVE, mode="live") | (~Q(id=LIVE) & Q(mode="test")),
            ),
            models.CheckConstraint(
                name="live_time_is_real_time",
                condition=~Q(mode="live") | Q(clock_offset=timedelta(), frozen_at__isnull=True),
            ),
            models.CheckConstraint(name="nobody_moves_live_time", condition=~Q(mode="live") | Q(moved_by__isnull=True)),
            models.CheckConstraint(
                name="whoever_moves_a_clock_has_a_term",
                condition=Q(moved_by__isnull=True, moved_until__isnull=True)
                | Q(moved_by__isnull=False, moved_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} {self.pk}"

    def now(self, real: datetime) -> datetime:
        """The realm's time when the real time is `real`."""
        return self.frozen_at or real + self.clock_offset


class LegalMove(models.Model):
    """A legal transition of a state. Database triggers refuse all others."""

    lifecycle = models.CharField(max_length=63)
    source = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lifecycle", "source", "target"], name="a_move_is_named_once"),
        ]

    def __str__(self) -> str:
        return f"{self.lifecycle}: {self.source or 'new'} → {self.target}"


class Identified(FastInitModel):
    """A model with a UUIDv7 primary key and the public id `prefix_…`."""

    prefix: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return ids.public(self.prefix, self.id)


class History(FastInitModel):
    """A row's history: its steps in order, without gaps, each with actor, time and transition. Append-only."""

    append_only: ClassVar[bool] = True
    subject_id: UUID

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    source = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=20)
    by = models.CharField(max_length=80)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True
        ordering = ["subject_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["subject", "seq"], name="%(class)s_has_no_twin")]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class IdempotencyKey(models.Model):
    """The saved answer to a request that may be repeated, written in the transaction of its effect."""

    deletable: ClassVar[bool] = True

    id = models.BigAutoField(primary_key=True)
    scope = models.UUIDField()
    key = models.CharField(max_length=255)
    route = models.CharField(max_length=300)
    request_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    content_type = models.CharField(max_length=60)
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="a_key_has_one_answer")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_oldest")]

    def __str__(self) -> str:
        return f"{self.route} {self.status}"


class AuditLine(models.Model):
    """One view or action of a colleague: who, what, on what, why, from where. Each line's MAC covers the previous one.

    Only kernel.audit writes lines; it numbers them without gaps.
    """

    append_only: ClassVar[bool] = True

    id = models.BigIntegerField(primary_key=True)
    by = models.CharField(max_length=80)
    act = models.CharField(max_length=60)
    about = models.CharField(max_length=80, blank=True)
    why = models.TextField(blank=True)
    place = models.CharField(max_length=45, blank=True)
    data = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    mac = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(name="audit_lines_count_from_one", condition=Q(id__gt=0))]
        indexes = [
            models.Index(fields=["about", "-id"], name="audit_of_row"),
            models.Index(fields=["by", "-id"], name="audit_of_colleague"),
            models.Index(fields=["act", "-id"], name="audit_of_act"),
        ]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"{self.id} {self.act}"


class AuditHead(models.Model):
    """The head of the audit log: the last line's number and MAC. Writers lock it, so lines have one order."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last = models.PositiveIntegerField(default=0)
    mac = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(name="the_audit_has_one_end", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.last}"


def to_plain_json(**data: Any) -> dict[str, Any]:
    """JSON data for a line of history: UUIDs and times become text."""
    return {name: str(value) if isinstance(value, UUID | datetime) else value for name, value in data.items()}
