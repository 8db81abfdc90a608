"""Files that are made behind, by workers: the row is the job, done a step at a time by whoever takes it up.

A step writes a piece of the file and says how far it came, in one transaction: a worker may die anywhere, and the next
one goes on from there. All of it lives in real time, in sandboxes too: files know no other.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import structlog
from django.db import models, transaction
from django.db.models import F, Q

from kernel import encryption, ids
from kernel.models import Identified
from kernel.time_limit import TimeIsUp

log = structlog.get_logger(__name__)
#: How long a worker is believed to be at it without a sign of life.
LEASE = timedelta(seconds=60)
#: How often it is taken up without coming a step further, before it is given up.
TRIES_MAX = 5
_AT_ONCE = 20


class HopelessError(Exception):
    """It can never be made: it is given up at once."""


class MadeBehind(Identified):
    """A file that somebody asked for. `next_at` says when to go on with it; its pieces are its `contents`."""

    asked_at = models.DateTimeField()
    #: When somebody may work on it; while somebody does, when others may take them for lost.
    next_at = models.DateTimeField(null=True, blank=True)
    #: How often it was taken up since it last came a step further.
    tries = models.PositiveSmallIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    pieces = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    #: When its contents were thrown away.
    emptied_at = models.DateTimeField(null=True, blank=True)

    contents: Any

    class Meta:
        abstract = True

    def ready(self, at: datetime) -> bool:
        """Whether it can be fetched."""
        return self.expires_at is not None and self.emptied_at is None and at < self.expires_at

    def finish(self, *, kept: timedelta, at: datetime) -> None:
        """It is whole, and can be fetched for so long."""
        self.next_at, self.made_at, self.expires_at = None, at, at + kept

    def empty(self) -> None:
        """Its contents are gone."""
        self.contents.all().delete()

    def read(self, **which: Any) -> Iterator[bytes]:
        """Its pieces in their order, a few at a time."""
        rows, after = self.contents.filter(**which).order_by("number"), -1
        while found := list(rows.filter(number__gt=after)[:_AT_ONCE]):
            yield from (piece.reveal() for piece in found)
            after = found[-1].number


class Piece(models.Model):
    """A piece of such a file, packed and sealed. Thrown away when the file expires."""

    deletable: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        abstract = True

    def take(self, packed: bytes) -> None:
        self.sealed = encryption.seal_bytes(packed, place=self._place)

    def reveal(self) -> bytes:
        return encryption.unseal_bytes(self.sealed, place=self._place)

    @property
    def _place(self) -> str:
        return f"{self._meta.label_lower}.sealed:{self.id}"


_Job = TypeVar("_Job", bound=MadeBehind)


def worked_on_until_over(name: str) -> models.CheckConstraint:
    """It waits for a worker, or was made, or has failed: one of the three."""
    waits, made, failed = (f"{column}__isnull" for column in ("next_at", "made_at", "failed_at"))
    return models.CheckConstraint(
        name=name,
        condition=Q(**{waits: False, made: True, failed: True})
        | Q(**{waits: True, made: False, failed: True})
        | Q(**{waits: True, made: True, failed: False}),
    )


def expires_if_made(name: str) -> models.CheckConstraint:
    """Exactly what was made expires, and later than it was made."""
    return models.CheckConstraint(
        name=name,
        condition=Q(made_at__isnull=True, expires_at__isnull=True)
        | Q(made_at__isnull=False, expires_at__gt=F("made_at")),
    )


def due(name: str) -> models.Index:
    return models.Index(fields=["next_at"], name=name, condition=Q(next_at__isnull=False))


def to_empty(name: str) -> models.Index:
    unemptied = Q(expires_at__isnull=False, emptied_at__isnull=True)
    return models.Index(fields=["expires_at"], name=name, condition=unemptied)


def make(model: type[_Job], begin: Callable[[_Job], Callable[[_Job], None]], *, at: datetime, seconds: float) -> int:
    """Work on what is asked for, the longest waiting first, for about so long. How many steps were done.

    `begin` says what a step of this file is, which writes what comes next on the row it is given, or finishes it.
    """
    until, steps = time.monotonic() + seconds, 0
    while time.monotonic() < until and (job := take(model, at=at)):
        mine = model._default_manager.filter(pk=job.pk, next_at=job.next_at)
        try:
            act, going = begin(job), True
            while going and time.monotonic() < until:
                going = step(model, job.pk, act, lease=job.next_at)
                steps += 1
            if going:
                mine.update(next_at=at)
        except HopelessError:
            mine.update(next_at=None, failed_at=at)
            job.empty()
        except TimeIsUp:
            raise
        except Exception:
            log.exception("file_not_made", file=job.public_id, tries=job.tries)
    return steps


@transaction.atomic
def take(model: type[_Job], *, at: datetime) -> _Job | None:
    """One that is due, which is this worker's from now on; what was tried too often is given up."""
    waiting = model._default_manager.filter(next_at__lte=at).order_by("next_at", "id")
    for job in waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))[:_AT_ONCE]:
        job.tries, job.next_at = job.tries + 1, at + LEASE
        if job.tries <= TRIES_MAX:
            job.save(update_fields=["tries", "next_at"])
            return job
        job.next_at, job.failed_at = None, at
        job.save(update_fields=["tries", "next_at", "failed_at"])
        job.empty()
    return None


@transaction.atomic
def step(model: type[_Job], key: UUID, act: Callable[[_Job], None], *, lease: datetime | None) -> bool:
    """Write what comes next; False when it is whole, or somebody else's meanwhile."""
    job = model._default_manager.select_for_update(no_key=True, of=("self",)).get(pk=key)
    if job.next_at != lease or lease is None:
        return False
    act(job)
    job.tries = 0
    job.save()
    return job.made_at is None


@transaction.atomic
def throw_away(model: type[_Job], *, at: datetime, limit: int) -> int:
    """Empty what has expired. Returns how many files that were."""
    over = model._default_manager.filter(expires_at__lte=at, emptied_at__isnull=True).order_by("expires_at")
    rows = list(over.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit])
    for job in rows:
        job.emptied_at = at
        job.save(update_fields=["emptied_at"])
        job.empty()
    return len(rows)
