"""Sweeps: process rows that are due, realm by realm, each by its own clock."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import DateTimeField, Exists, ExpressionWrapper, Model, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Coalesce, Concat

from kernel.clock import live_now, now_in
from kernel.database_errors import is_unavailable
from kernel.models import LIVE, Realm

_Key = TypeVar("_Key")
#: How long until a repeated failure is logged with its traceback again, and how many failures a process remembers.
LOG_AGAIN_SECONDS, LOGGED_MAX = 600.0, 1_000
_logged_until: dict[tuple[object, ...], float] = {}
_live_failures: ContextVar[list[str] | None] = ContextVar("live_failures", default=None)
_progress: "ContextVar[_RealmProgress | None]" = ContextVar("progress", default=None)
log = structlog.get_logger(__name__)
#: How long one run of a job starts new batches. The rest stays due until the next run; so a worker is free for other
#: jobs in between, and no task comes near its time limit.
TIME_BUDGET_SECONDS = 10.0


@dataclass(slots=True)
class _RealmProgress:
    """A realm's progress in this run. Rows that failed stay due and are tried again in the next run."""

    #: Rows that failed even alone, with their log event: skipped in this run, so that the batches of others are full.
    skipped: set[tuple[str, str]] = field(default_factory=set)
    #: How many rows were in the last batch in which some failed.
    failed_batch_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One kind of due work, run by a scheduled job, and by a sandbox when its clock is moved forward."""

    #: The name of its scheduled job.
    name: str
    #: `process_batch(realm_id, at=…, limit=…)` returns how many rows it processed; fewer than `limit` means all.
    process_batch: Callable[..., int]
    #: SQL for the first time at which the realm `%(realm)s` has something to do, when it is `%(at)s` there.
    first_due_sql: str = ""
    batch_size: int = 100
    #: The scheduled job that runs it, if several sweeps share one.
    job_name: str = ""
    #: The model of the due rows and the column with their due time. None if the job itself finds the realms.
    model: type[Model] | None = None
    due_column: str = ""

    def run_due(self) -> None:
        """Process what is due now in every realm whose clock runs."""
        if self.model is None:
            raise TypeError(f"{self.name} has no model of due rows.")
        sweep_realms(self.model, self.due_column, self.run_batch, batch_size=self.batch_size)

    def run_batch(self, realm_id: int, at: datetime, limit: int) -> int:
        return self.process_batch(realm_id, at=at, limit=limit)


def process_each(keys: Iterable[_Key], process: Callable[[_Key], object], *, event: str) -> int:
    """Process each key; a failure is logged as `event` and does not stop the others. Returns the number of keys.

    Raises:
        Exception: the last failure; the keys that failed are still due.
    """
    all_keys, failures = list(keys), list[Exception]()
    for key in _without_skipped(all_keys, event):
        before = _skipped_count()
        try:
            process(key)
        except SoftTimeLimitExceeded:
            raise
        except Exception as exc:  # noqa: BLE001  one failure must not stop the others; it is logged
            _log_failure(event, exc, key=str(key))
            if _skipped_count() == before:  # else only some rows under this key failed
                _skip(event, key)
            failures.append(exc)
    raise_last(failures, batch_size=len(all_keys))
    return len(all_keys)


@contextmanager
def collect_live_failures() -> Iterator[list[str]]:
    """Collect the due columns whose sweep failed in the live realm inside this block."""
    found = list[str]()
    before = _live_failures.set(found)
    try:
        yield found
    finally:
        _live_failures.reset(before)


def process_bisecting(
    keys: Sequence[_Key], process: Callable[[Sequence[_Key]], object], *, event: str
) -> list[Exception]:
    """Process all keys in one call; if that fails, each half by itself, down to single keys that fail alone.

    Returns the failures, which are also logged as `event`; the caller raises the last one when all is done. Stops
    bisecting when the time budget is used up, and stops altogether when the database is unavailable.
    """
    until, failures = time.monotonic() + TIME_BUDGET_SECONDS, list[Exception]()
    remaining = _without_skipped(keys, event)
    queue = deque([remaining] if remaining else [])
    while queue:
        batch = queue.popleft()
        try:
            process(batch)
        except SoftTimeLimitExceeded:
            raise
        except Exception as exc:  # noqa: BLE001  one bad row must not stop the others; it is logged
            if is_unavailable(exc):
                return [*failures, exc]
            if len(batch) > 1 and time.monotonic() < until:
                half = len(batch) // 2
                queue.extendleft([batch[half:], batch[:half]])
                continue
            _log_failure(event, exc, key=str(batch[0]), keys=len(batch))
            if len(batch) == 1:
                _skip(event, batch[0])
            failures.append(exc)
    return failures


def has_skipped(event: str) -> bool:
    """Whether keys with this event are skipped in this run: processing all in one call would fail again."""
    return bool(skipped_keys(event))


def skipped_keys(event: str) -> list[str]:
    """The keys that are skipped in this run because they failed alone, as text."""
    progress = _progress.get()
    return [] if progress is None else sorted(key for name, key in progress.skipped if name == event)


def _skipped_count() -> int:
    progress = _progress.get()
    return 0 if progress is None else len(progress.skipped)


def _skip(event: str, key: object) -> None:
    if (progress := _progress.get()) is not None:
        progress.skipped.add((event, str(key)))


def _without_skipped(keys: Sequence[_Key], event: str) -> Sequence[_Key]:
    progress = _progress.get()
    if progress is None or not progress.skipped:
        return keys
    return [key for key in keys if (event, str(key)) not in progress.skipped]


def count_bisecting(keys: Sequence[_Key], process: Callable[[Sequence[_Key]], int], *, event: str) -> int:
    """Like `process_bisecting`, where `process` returns a count. Returns the sum, skipped keys included.

    Raises:
        Exception: the last failure, after the others are processed.
    """
    skipped, counts = len(keys) - len(_without_skipped(keys, event)), list[int]()
    raise_last(process_bisecting(keys, lambda batch: counts.append(process(batch)), event=event), batch_size=len(keys))
    return sum(counts) + skipped


def _log_failure(event: str, exc: Exception, **fields: object) -> None:
    """Log each failure; the traceback only once in a while, because the same failure may recur every second."""
    name, now = (event, type(exc), *fields.values()), time.monotonic()
    if _logged_until.get(name, 0.0) > now:
        log.error(event, error=type(exc).__name__, **fields)
        return
    if len(_logged_until) >= LOGGED_MAX:
        _logged_until.clear()
    _logged_until[name] = now + LOG_AGAIN_SECONDS
    log.error(event, exc_info=exc, **fields)


def raise_last(failures: Sequence[Exception], *, batch_size: int = 0) -> None:
    """Report failures when the rest of a batch is processed, so that the caller knows that something is still due.

    `batch_size` is the number of rows in the batch: after a full one the sweep continues with the next.

    Raises:
        Exception: the last failure, if there is one.
    """
    if failures:
        if (progress := _progress.get()) is not None:
            progress.failed_batch_size = max(progress.failed_batch_size, batch_size)
        raise failures[-1]


def rotating_order(at: datetime) -> MD5:
    """An ordering that differs at each time, so that rows which fail are not always first.

    It is the same at the same time, so that a sandbox scenario runs the same way twice.
    """
    return MD5(Concat(Cast("pk", TextField()), Value(at.isoformat())))


def running_realms() -> "QuerySet[Realm]":
    """Realms whose clock runs by itself: not frozen ones, nor ones whose clock is being moved right now."""
    return Realm.objects.filter(frozen_at__isnull=True).exclude(moved_until__gt=live_now())


def realms_due(model: type[Model], column: str, *, include_frozen: bool = False) -> list[Realm]:
    """Realms that have rows whose `column` is due by the realm's own time, in random order.

    Frozen realms are left out, because their time passes only when their owner moves it. With `include_frozen` they
    are included, at their frozen time: for work that does not change the realm's own data.
    """
    running = ExpressionWrapper(Value(live_now()) + OuterRef("clock_offset"), output_field=DateTimeField())
    now = Coalesce(OuterRef("frozen_at"), running) if include_frozen else running
    due = model._default_manager.filter(realm_id=OuterRef("pk"), **{f"{column}__lte": now})
    realms = Realm.objects.all() if include_frozen else running_realms()
    return list(realms.filter(Exists(due)).order_by("?"))


def sweep_realms(
    model: type[Model], column: str, sweep: Callable[[int, datetime, int], int], *, batch_size: int
) -> None:
    """Call `sweep(realm_id, at, limit)` for each realm with due rows, batch by batch, while batches are full.

    The live realm goes first, and again after each batch of a sandbox, so it gets at least half of the batches. Stops
    when the time budget is used up. A failure in one realm is logged and stops neither the other realms nor other rows
    of the same one; its rows stay due. A realm's clock is read for each batch, because its owner may have moved it.
    """
    until = time.monotonic() + TIME_BUDGET_SECONDS
    remaining = deque(realm.id for realm in realms_due(model, column))
    realm_id: int | None = None
    progress = {realm: _RealmProgress() for realm in remaining}
    while remaining and time.monotonic() < until:
        realm_id = _next_realm(remaining, realm_id)
        remaining.remove(realm_id)
        if _sweep_batch(realm_id, sweep, progress[realm_id], batch_size=batch_size, due_column=column):
            remaining.append(realm_id)


def _next_realm(remaining: Sequence[int], previous: int | None) -> int:
    """The realm of the next batch: the live one, unless it had the last batch and others are waiting."""
    others = [realm_id for realm_id in remaining if realm_id != LIVE]
    return LIVE if LIVE in remaining and (previous != LIVE or not others) else others[0]


def _sweep_batch(
    realm_id: int,
    sweep: Callable[[int, datetime, int], int],
    progress: _RealmProgress,
    *,
    batch_size: int,
    due_column: str,
) -> bool:
    """Process one batch, if the realm's clock runs. Returns whether it was full, so that more may be due."""
    realm = running_realms().filter(pk=realm_id).first()
    if realm is None:
        return False
    limit, progress.failed_batch_size = batch_size + len(progress.skipped), 0
    token = _progress.set(progress)
    try:
        return sweep(realm_id, now_in(realm), limit) >= limit
    except SoftTimeLimitExceeded:
        raise
    except Exception as exc:  # noqa: BLE001  a failure in one realm must not stop the others; it is logged
        _log_failure("sweep_failed", exc, realm=realm_id, due=due_column)
        if realm_id == LIVE and (failures := _live_failures.get()) is not None:
            failures.append(due_column)
        return progress.failed_batch_size >= limit and not is_unavailable(exc)
    finally:
        _progress.reset(token)
