"""A sandbox's clock: read, set, and moved on so that everything happens that would have happened on the way.

One at a time moves a clock, and holds a term on it meanwhile, as the realm's row says. Whoever dies in the middle
leaves it at the last moment that came, what was due by then still due, and free when the term is over. Nothing is lost
or done twice by that: every sweep claims its rows.
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

from accounts.refusals import SandboxOnly
from billing.refusals import ClockBackwards, ClockBusy, ClockTooFar
from billing.services import outage
from billing.services.passing import Passing
from kernel.actor import Actor
from kernel.ids import uuid7
from kernel.models import LIVE, Realm
from kernel.refusal import NotFound
from merchants.models import Change, Event, Merchant

#: How far one step goes at most, and how far ahead of real time a sandbox's clock may be.
SPAN_MAX, AHEAD_MAX = timedelta(days=400), timedelta(days=3_660)
#: How long moving on works before it answers with what it has come to, and how long its silence is borne.
WORKS_FOR, TERM = timedelta(seconds=20), timedelta(seconds=30)


class Mode(StrEnum):
    """Whether a clock runs with real time, or stands until it is moved on."""

    RUNNING = "running"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sandbox's clock shows."""

    mode: Mode
    now: datetime


@dataclass(frozen=True, slots=True)
class Journey:
    """How far a clock came on its way, and what happened meanwhile."""

    mode: Mode
    now: datetime
    to: datetime
    #: Whether it has arrived; if not, the rest of the way is another call's.
    done: bool
    #: How much each kind of work saw to, by the name of its ring.
    work: Mapping[str, int]
    #: What the merchant was told meanwhile, by type.
    events: Mapping[str, int]


def read_clock(realm_id: int, *, real: datetime) -> Reading:
    """What the clock shows when it is `real` outside.

    Raises:
        NotFound: there is no such realm.
    """
    realm = Realm.objects.filter(pk=realm_id).first()
    if realm is None:
        raise NotFound
    return _reading(realm, real)


@transaction.atomic
def set_clock(realm_id: int, *, mode: str, now: datetime | None = None, by: Actor, real: datetime) -> Reading:
    """The clock runs or stands from now on, at the time it shows or a later one.

    Time that is jumped over does not pass: what fell due in it is late, and done as soon as time passes again.

    Raises:
        SandboxOnly: live time is real time.
        ClockBusy: somebody is moving it on.
        ClockBackwards, ClockTooFar: it cannot show that.
    """
    realm = _free(realm_id, real=real)
    shown = realm.now(real)
    wanted = shown if now is None else now
    _judge(wanted, shown, real)
    realm.frozen_at = wanted if mode == Mode.FROZEN else None
    realm.clock_offset = wanted - real
    realm.save(update_fields=["frozen_at", "clock_offset"])
    _note(realm_id, "clock_set", by=by, at=wanted, mode=str(mode), now=wanted.isoformat())
    return _reading(realm, real)


def advance_clock(
    realm_id: int,
    *,
    to: datetime | timedelta,
    by: Actor,
    real: datetime,
    within: timedelta = WORKS_FOR,
    begun: Callable[[Journey], None] | None = None,
) -> Journey:
    """Time passes, to a moment or by a span: what falls due meanwhile happens, each thing at its own time.

    After `within` of real time it comes to a halt between two pieces of work: the same `to` again goes on. Webhooks are
    not among them: whoever receives those lives in real time. `begun` hears where it is to go, in the transaction in
    which the clock is taken in hand.

    Raises:
        SandboxOnly: live time is real time.
        ClockBusy: somebody is moving it on already, or it was taken out of our hand.
        ClockBackwards, ClockTooFar: it cannot go there.
    """
    with transaction.atomic():
        hand = _take(realm_id, to, by=by, real=real)
        if begun is not None:
            begun(Journey(hand.mode, hand.now, hand.to, done=False, work={}, events={}))
    before = uuid7()
    try:
        outage.keep_outages(real=real, realm_id=realm_id)
        passing = Passing(realm_id, hand.move)
        done = passing.live(hand.now, hand.to, until=time.monotonic() + within.total_seconds())
    finally:
        hand.let_go()
    return Journey(hand.mode, hand.now, hand.to, done, passing.work, _told(realm_id, before))


class Hand:
    """Whoever moves a clock. Nobody else does while its term lasts, and each move gives it another."""

    def __init__(self, realm: Realm, to: datetime, *, real: datetime) -> None:
        self.realm_id, self.to = realm.id, to
        self.mode, self.now = _reading(realm, real).mode, realm.now(real)
        self._token, self._real, self._began = uuid7(), real, time.monotonic()

    def take(self) -> None:
        Realm.objects.filter(pk=self.realm_id).update(moved_by=self._token, moved_until=self._real + TERM)

    def move(self, to: datetime) -> datetime:
        """The clock shows this moment, or the later one that it has come to by itself. What it shows now.

        Raises:
            ClockBusy: the term was over, and somebody else has it in hand.
        """
        real = self._real + timedelta(seconds=time.monotonic() - self._began)
        asked: list[Any] = [to, to - real, real + TERM, self.realm_id, self._token, real]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE kernel_realm SET frozen_at = greatest(frozen_at, CASE WHEN frozen_at IS NOT NULL THEN %s END),"
                " clock_offset = CASE WHEN frozen_at IS NULL THEN greatest(clock_offset, %s) ELSE clock_offset END,"
                " moved_until = %s WHERE id = %s AND moved_by = %s RETURNING coalesce(frozen_at, %s + clock_offset)",
                asked,
            )
            row = cursor.fetchone()
        if row is None:
            raise ClockBusy(retry_after=1)
        self.now = row[0]
        return self.now

    def let_go(self) -> None:
        Realm.objects.filter(pk=self.realm_id, moved_by=self._token).update(moved_by=None, moved_until=None)


def _take(realm_id: int, to: datetime | timedelta, *, by: Actor, real: datetime) -> Hand:
    realm = _free(realm_id, real=real)
    shown = realm.now(real)
    wanted = shown + to if isinstance(to, timedelta) else to
    _judge(wanted, shown, real)
    if wanted - shown > SPAN_MAX:
        raise ClockTooFar(f"One step goes {SPAN_MAX.days} days at most.")
    hand = Hand(realm, wanted, real=real)
    hand.take()
    _note(realm_id, "clock_moved_on", by=by, at=shown, to=wanted.isoformat())
    return hand


def _free(realm_id: int, *, real: datetime) -> Realm:
    """A sandbox's realm, locked, whose clock is in nobody's hand."""
    if realm_id == LIVE:
        raise SandboxOnly
    realm = Realm.objects.select_for_update(no_key=True).filter(pk=realm_id).first()
    if realm is None:
        raise NotFound
    if realm.moved_until is not None and realm.moved_until > real:
        raise ClockBusy(retry_after=1)
    return realm


def _judge(wanted: datetime, shown: datetime, real: datetime) -> None:
    if wanted < shown:
        raise ClockBackwards(f"It is {shown.isoformat()} there.")
    if wanted - real > AHEAD_MAX:
        raise ClockTooFar(f"A sandbox is {AHEAD_MAX.days} days ahead of real time at most.")


def _reading(realm: Realm, real: datetime) -> Reading:
    return Reading(Mode.RUNNING if realm.frozen_at is None else Mode.FROZEN, realm.now(real))


def _note(realm_id: int, verb: str, *, by: Actor, at: datetime, **data: str) -> None:
    """Who set the clock, among the merchant's own affairs."""
    for merchant_id in Merchant.objects.filter(realm_id=realm_id).values_list("id", flat=True):
        Change.objects.create(merchant_id=merchant_id, verb=verb, subject_id=merchant_id, by=str(by), at=at, data=data)


def _told(realm_id: int, since: UUID) -> dict[str, int]:
    merchants = Merchant.objects.filter(realm_id=realm_id)
    rows = Event.objects.filter(merchant__in=merchants, id__gt=since).order_by("type")
    return dict(rows.values_list("type").annotate(count=Count("id")))
