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

#: The live realm's key: made by the first migration, never another.
LIVE = 1


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a new row has where nothing is given, as far as that is always the same; how the rest is made; and which of
    the names that are given are those of rows that its foreign keys name.
    """

    same: dict[str, Any]
    made: tuple[tuple[str, Callable[[], Any]], ...]
    others: frozenset[str]

    @classmethod
    @cache
    def of(cls, model: type[models.Model], given: tuple[str, ...]) -> Self | None:
        """With these given; None where one of them is no column, which is for Django to refuse."""
        whole = cls._of(model)
        named = whole.others & set(given)
        if not whole.same.keys() >= set(given) - named:
            return None
        return cls(whole.same, tuple(one for one in whole.made if one[0] not in given), named)

    @classmethod
    @cache
    def _of(cls, model: type[models.Model]) -> Self:
        fields = [f for f in model._meta.concrete_fields if not f.generated]
        called = [f for f in fields if f.has_default() and callable(f.default)]
        left = [f for f in fields if f.has_db_default() and f not in called]
        return cls(
            same={f.attname: None if f in called or f in left else f.get_default() for f in fields},
            made=tuple([(f.attname, f.default) for f in called] + [(f.attname, f.get_default) for f in left]),
            others=frozenset(f.name for f in fields if f.name != f.attname),
        )


class Row(models.Model):
    """A row that is filled in at once, new or as it was read: Django looks at each field and asks who listens."""

    class Meta:
        abstract = True

    def __init__(self, *values: Any, **given: Any) -> None:
        columns = None if values else _Columns.of(type(self), tuple(given))
        if columns is None:
            super().__init__(*values, **given)
            return
        here = self.__dict__
        here["_state"] = ModelState()
        here.update(columns.same)
        for name, made in columns.made:
            here[name] = made()
        rows = [(name, given.pop(name)) for name in columns.others]
        here.update(given)
        for name, row in rows:
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


class Realm(Row):
    """A closed world with its own clock: the live one, or one sandbox merchant's. Nothing ever crosses."""

    id = models.BigAutoField(primary_key=True)
    mode = models.CharField(max_length=4, choices=[("live", "live"), ("test", "test")])
    clock_offset = models.DurationField(default=timedelta)
    frozen_at = models.DateTimeField(null=True, blank=True)
    #: Who is moving its clock on, and until when in real time that is believed without a sign of life.
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
        """The realm's time when it is `real` outside."""
        return self.frozen_at or real + self.clock_offset


class LegalMove(models.Model):
    """One step a state may take. The database refuses every other, whoever asks."""

    lifecycle = models.CharField(max_length=63)
    source = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["lifecycle", "source", "target"], name="a_move_is_named_once"),
        ]

    def __str__(self) -> str:
        return f"{self.lifecycle}: {self.source or 'new'} → {self.target}"


class Identified(Row):
    """A row with one identity everywhere: UUIDv7 inside, `prefix_…` outside."""

    prefix: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return ids.public(self.prefix, self.id)


class History(Row):
    """What happened to one row, in order, without gaps: who, when, from where to where. Append-only."""

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
    """The first answer to a request that may be sent again, kept in the transaction of its effect."""

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
    """What a colleague looked at or did: who, what, of what, why, from where. Each line is sealed onto the one before.

    Written by kernel.audit alone, which numbers lines without gaps.
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
        ]
        triggers = guards.append_only()

    def __str__(self) -> str:
        return f"{self.id} {self.act}"


class AuditHead(models.Model):
    """Where the audit ends: its last line's number and seal. Whoever writes holds it, so lines have one order."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last = models.PositiveIntegerField(default=0)
    mac = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(name="the_audit_has_one_end", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.last}"


def snapshot(**data: Any) -> dict[str, Any]:
    """Plain JSON for a line of history: keys to their public or ISO form."""
    return {name: str(value) if isinstance(value, UUID | datetime) else value for name, value in data.items()}
