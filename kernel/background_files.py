"""Files generated in the background: the row is the job, and any worker can continue it step by step.

A step writes a piece of the file and records its progress in one transaction: a worker may die at any point, and the
next one continues from there. All times are real time, in sandboxes too.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import models, transaction
from django.db.models import F, Q

from kernel import encryption, ids
from kernel.models import Identified

log = structlog.get_logger(__name__)
#: How long a worker keeps its claim on a file without progress.
LEASE = timedelta(seconds=60)
#: How often a file is claimed without progress before it fails.
TRIES_MAX = 5
_BATCH_SIZE = 20


class PermanentFileError(Exception):
    """The file can never be generated: it fails without further tries."""


class BackgroundFile(Identified):
    """A requested file. `next_at` is when work on it continues; its pieces are its `contents`."""

    asked_at = models.DateTimeField()
    #: When a worker may claim it; while one works on it, when its claim expires.
    next_at = models.DateTimeField(null=True, blank=True)
    #: How often it was claimed since its last progress.
    tries = models.PositiveSmallIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    pieces = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    #: When its contents were deleted.
    emptied_at = models.DateTimeField(null=True, blank=True)

    contents: Any

    class Meta:
        abstract = True

    def is_ready(self, at: datetime) -> bool:
        """Whether it can be downloaded."""
        return self.expires_at is not None and self.emptied_at is None and at < self.expires_at

    def mark_finished(self, *, kept_for: timedelta, at: datetime) -> None:
        """Mark it complete; it can be downloaded for `kept_for`."""
        self.next_at, self.made_at, self.expires_at = None, at, at + kept_for

    def delete_pieces(self) -> None:
        """Delete its contents."""
        self.contents.all().delete()

    def iter_pieces(self, **filters: Any) -> Iterator[bytes]:
        """Its pieces in order, fetched in small batches."""
        rows, after = self.contents.filter(**filters).order_by("number"), -1
        while found := list(rows.filter(number__gt=after)[:_BATCH_SIZE]):
            yield from (piece.get_content() for piece in found)
            after = found[-1].number


class FilePiece(models.Model):
    """A piece of such a file, compressed and encrypted. Deleted when the file expires."""

    deletable: ClassVar[bool] = True

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)
    number = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        abstract = True

    def set_content(self, packed: bytes) -> None:
        self.sealed = encryption.seal_bytes(packed, place=self._place)

    def get_content(self) -> bytes:
        return encryption.unseal_bytes(self.sealed, place=self._place)

    @property
    def _place(self) -> str:
        return f"{self._meta.label_lower}.sealed:{self.id}"


_Job = TypeVar("_Job", bound=BackgroundFile)


def one_outcome_constraint(name: str) -> models.CheckConstraint:
    """A constraint: the file is pending, complete or failed, exactly one of the three."""
    pending, made, failed = (f"{column}__isnull" for column in ("next_at", "made_at", "failed_at"))
    return models.CheckConstraint(
        name=name,
        condition=Q(**{pending: False, made: True, failed: True})
        | Q(**{pending: True, made: False, failed: True})
        | Q(**{pending: True, made: True, failed: False}),
    )


def expiry_constraint(name: str) -> models.CheckConstraint:
    """A constraint: exactly the complete files have an expiry, after their completion."""
    return models.CheckConstraint(
        name=name,
        condition=Q(made_at__isnull=True, expires_at__isnull=True)
        | Q(made_at__isnull=False, expires_at__gt=F("made_at")),
    )


def due_index(name: str) -> models.Index:
    return models.Index(fields=["next_at"], name=name, condition=Q(next_at__isnull=False))


def expired_index(name: str) -> models.Index:
    unemptied = Q(expires_at__isnull=False, emptied_at__isnull=True)
    return models.Index(fields=["expires_at"], name=name, condition=unemptied)


def generate_files(
    model: type[_Job], build_step: Callable[[_Job], Callable[[_Job], None]], *, at: datetime, seconds: float
) -> int:
    """Work on pending files, the longest waiting first, for about so many seconds. Returns the number of steps.

    `build_step` returns a file's step function, which writes the next piece or marks the file finished.
    """
    until, steps = time.monotonic() + seconds, 0
    while time.monotonic() < until and (job := claim_file(model, at=at)):
        claimed = model._default_manager.filter(pk=job.pk, next_at=job.next_at)
        try:
            write_next, is_unfinished = build_step(job), True
            while is_unfinished and time.monotonic() < until:
                is_unfinished = run_step(model, job.pk, write_next, lease=job.next_at)
                steps += 1
            if is_unfinished:
                claimed.update(next_at=at)
        except PermanentFileError:
            claimed.update(next_at=None, failed_at=at)
            job.delete_pieces()
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("file_not_made", file=job.public_id, tries=job.tries)
    return steps


@transaction.atomic
def claim_file(model: type[_Job], *, at: datetime) -> _Job | None:
    """Claim a file that is due for this worker. Files that were tried too often are marked failed."""
    waiting = model._default_manager.filter(next_at__lte=at).order_by("next_at", "id")
    for job in waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))[:_BATCH_SIZE]:
        job.tries, job.next_at = job.tries + 1, at + LEASE
        if job.tries <= TRIES_MAX:
            job.save(update_fields=["tries", "next_at"])
            return job
        job.next_at, job.failed_at = None, at
        job.save(update_fields=["tries", "next_at", "failed_at"])
        job.delete_pieces()
    return None


@transaction.atomic
def run_step(model: type[_Job], key: UUID, write_next: Callable[[_Job], None], *, lease: datetime | None) -> bool:
    """Write the next piece. Returns False when the file is complete, or another worker has claimed it."""
    job = model._default_manager.select_for_update(no_key=True, of=("self",)).get(pk=key)
    if job.next_at != lease or lease is None:
        return False
    write_next(job)
    job.tries = 0
    job.save()
    return job.made_at is None


@transaction.atomic
def delete_expired(model: type[_Job], *, at: datetime, limit: int) -> int:
    """Delete the contents of expired files. Returns how many files that were."""
    expired = model._default_manager.filter(expires_at__lte=at, emptied_at__isnull=True).order_by("expires_at")
    rows = list(expired.select_for_update(skip_locked=True, no_key=True, of=("self",))[:limit])
    for job in rows:
        job.emptied_at = at
        job.save(update_fields=["emptied_at"])
        job.delete_pieces()
    return len(rows)
