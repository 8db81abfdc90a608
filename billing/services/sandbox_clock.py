"""A sandbox's clock: read it, set it, and advance it so that everything happens that is due on the way.

Advancing a clock takes a lease on it, stored in the realm's row. After a crash the clock stays at the last time it
reached, what was due then is still due, and the lease expires. Nothing is lost or done twice: sweeps claim their rows.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.refusals import SandboxOnly
from billing.refusals import ClockBackwards, ClockBusy, ClockTooFar
from billing.services import outage
from billing.services.clock_advance import SweepRunner
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE, Realm
from kernel.refusal import NotFound
from merchants.models import Change, Event, Merchant

#: How far one call may advance the clock, and how far ahead of real time it may be.
STEP_MAX, AHEAD_MAX = timedelta(days=400), timedelta(days=3_660)
#: How long one call works before it returns with the clock on its way, and how long a lease lasts without renewal.
TIME_BUDGET, LEASE_TERM = timedelta(seconds=20), timedelta(seconds=30)


class Mode(StrEnum):
    """Whether a clock runs with real time, or is frozen until it is advanced."""

    RUNNING = "running"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class ClockState:
    """Mode and time of a sandbox's clock."""

    mode: Mode
    now: datetime


@dataclass(frozen=True, slots=True)
class AdvanceResult:
    """How far a clock was advanced, and what happened meanwhile."""

    mode: Mode
    now: datetime
    to: datetime
    #: Whether it has arrived; if not, another call goes on.
    done: bool
    #: How many rows each scheduled job processed, by its name.
    work: Mapping[str, int]
    #: How many events were published to the merchant, by type.
    events: Mapping[str, int]


def read_clock(realm_id: int, *, real: datetime) -> ClockState:
    """Mode and time of the clock at the real time `real`.

    Raises:
        NotFound: there is no such realm.
    """
    realm = Realm.objects.filter(pk=realm_id).first()
    if realm is None:
        raise NotFound
    return _state_of(realm, real)


@transaction.atomic
def set_clock(realm_id: int, *, mode: str, now: datetime | None = None, by: Actor, real: datetime) -> ClockState:
    """Run or freeze the clock, at its current time or a later one.

    Nothing runs in time that is skipped: what became due in it is late, and runs once time passes again.

    Raises:
        SandboxOnly: the live realm has real time.
        ClockBusy: the clock is being advanced.
        ClockBackwards, ClockTooFar: it cannot be set to that time.
    """
    realm = _lock_idle_realm(realm_id, real=real)
    current = realm.now(real)
    target = current if now is None else now
    _check_target(target, current, real)
    realm.frozen_at = target if mode == Mode.FROZEN else None
    realm.clock_offset = target - real
    realm.save(update_fields=["frozen_at", "clock_offset"])
    _record_change(realm_id, "clock_set", by=by, at=target, mode=str(mode), now=target.isoformat())
    return _state_of(realm, real)


def advance_clock(
    realm_id: int,
    *,
    to: datetime | timedelta,
    by: Actor,
    real: datetime,
    within: timedelta = TIME_BUDGET,
    on_started: Callable[[AdvanceResult], None] | None = None,
) -> AdvanceResult:
    """Advance the clock to a time or by a span, running everything that is due on the way at its own time.

    After `within` of real time it stops between two batches: a call with the same `to` goes on. Webhooks are not sent
    here, because their receivers live in real time. `on_started` is called with the target in the transaction that
    takes the lease.

    Raises:
        SandboxOnly: the live realm has real time.
        ClockBusy: the clock is being advanced already, or the lease was lost.
        ClockBackwards, ClockTooFar: it cannot be advanced to that time.
    """
    with transaction.atomic():
        lease = _acquire_lease(realm_id, to, by=by, real=real)
        if on_started is not None:
            on_started(AdvanceResult(lease.mode, lease.now, lease.to, done=False, work={}, events={}))
    last_event_id = uuid7()
    try:
        outage.apply_outages(real=real, realm_id=realm_id)
        runner = SweepRunner(realm_id, lease.move_to)
        done = runner.run_until(lease.now, lease.to, until=time.monotonic() + within.total_seconds())
    finally:
        lease.release()
    return AdvanceResult(lease.mode, lease.now, lease.to, done, runner.work, _count_events(realm_id, last_event_id))


class ClockLease:
    """The exclusive right to move a clock, for LEASE_TERM at a time; each move renews it."""

    def __init__(self, realm: Realm, to: datetime, *, real: datetime) -> None:
        self.realm_id, self.to = realm.id, to
        self.mode, self.now = _state_of(realm, real).mode, realm.now(real)
        self._token, self._real, self._started = uuid7(), real, time.monotonic()

    def acquire(self) -> None:
        Realm.objects.filter(pk=self.realm_id).update(moved_by=self._token, moved_until=self._real + LEASE_TERM)

    def move_to(self, to: datetime) -> datetime:
        """Set the clock to this time, unless it is past it already, and renew the lease. Returns the clock's time.

        Raises:
            ClockBusy: the lease expired and another caller has taken it.
        """
        real = self._real + timedelta(seconds=time.monotonic() - self._started)
        params: list[Any] = [to, to - real, real + LEASE_TERM, self.realm_id, self._token, real]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE kernel_realm SET frozen_at = greatest(frozen_at, CASE WHEN frozen_at IS NOT NULL THEN %s END),"
                " clock_offset = CASE WHEN frozen_at IS NULL THEN greatest(clock_offset, %s) ELSE clock_offset END,"
                " moved_until = %s WHERE id = %s AND moved_by = %s RETURNING coalesce(frozen_at, %s + clock_offset)",
                params,
            )
            row = cursor.fetchone()
        if row is None:
            raise ClockBusy(retry_after=1)
        self.now = row[0]
        return self.now

    def release(self) -> None:
        Realm.objects.filter(pk=self.realm_id, moved_by=self._token).update(moved_by=None, moved_until=None)


def _acquire_lease(realm_id: int, to: datetime | timedelta, *, by: Actor, real: datetime) -> ClockLease:
    realm = _lock_idle_realm(realm_id, real=real)
    current = realm.now(real)
    target = current + to if isinstance(to, timedelta) else to
    _check_target(target, current, real)
    if target - current > STEP_MAX:
        raise ClockTooFar(format_lazy(_("One step goes {days} days at most."), days=STEP_MAX.days))
    lease = ClockLease(realm, target, real=real)
    lease.acquire()
    _record_change(realm_id, "clock_moved_on", by=by, at=current, to=target.isoformat())
    return lease


def _lock_idle_realm(realm_id: int, *, real: datetime) -> Realm:
    """Lock a sandbox's realm whose clock nobody is advancing."""
    if realm_id == LIVE:
        raise SandboxOnly
    realm = Realm.objects.select_for_update(no_key=True).filter(pk=realm_id).first()
    if realm is None:
        raise NotFound
    if realm.moved_until is not None and realm.moved_until > real:
        raise ClockBusy(retry_after=1)
    return realm


def _check_target(target: datetime, current: datetime, real: datetime) -> None:
    if target < current:
        raise ClockBackwards(format_lazy(_("It is {now} there."), now=current.isoformat()))
    if target - real > AHEAD_MAX:
        raise ClockTooFar(format_lazy(_("A sandbox is {days} days ahead of real time at most."), days=AHEAD_MAX.days))


def _state_of(realm: Realm, real: datetime) -> ClockState:
    return ClockState(Mode.RUNNING if realm.frozen_at is None else Mode.FROZEN, realm.now(real))


def _record_change(realm_id: int, verb: str, *, by: Actor, at: datetime, **data: str) -> None:
    """Record who set the clock in the merchant's change log."""
    for merchant_id in Merchant.objects.filter(realm_id=realm_id).values_list("id", flat=True):
        Change.objects.create(merchant_id=merchant_id, verb=verb, subject_id=merchant_id, by=str(by), at=at, data=data)


def _count_events(realm_id: int, since: UUID) -> dict[str, int]:
    merchants = Merchant.objects.filter(realm_id=realm_id)
    rows = Event.objects.filter(merchant__in=merchants, id__gt=since).order_by("type")
    return dict(rows.values_list("type").annotate(count=Count("id")))
