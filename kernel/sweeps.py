"""Working off what is due, realm by realm, each by its own clock."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import structlog
from django.db.models import DateTimeField, Exists, ExpressionWrapper, Model, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import MD5, Cast, Coalesce, Concat

from kernel.clock import live_now, now_in
from kernel.database_trouble import is_away
from kernel.models import LIVE, Realm
from kernel.time_limit import TimeIsUp

_Key = TypeVar("_Key")
#: After so long the lines of code that a trouble came from are told once more, by each process; so many are remembered.
TOLD_AGAIN_SECONDS, TOLD_MAX = 600.0, 1_000
_told: dict[tuple[object, ...], float] = {}
_troubles: ContextVar[list[str] | None] = ContextVar("troubles", default=None)
_turn: "ContextVar[_Turn | None]" = ContextVar("turn", default=None)
log = structlog.get_logger(__name__)
#: How long one ring goes on beginning batches. What is left is still due at the next ring; meanwhile the worker has its
#: hands free for the other jobs, and no task comes near its time limit.
WORKS_FOR_SECONDS = 10.0


@dataclass(slots=True)
class _Turn:
    """What became of a realm's rows in this ring. What cannot be seen to stays due, and is asked for at the next."""

    #: What cannot be seen to even alone, by what is `told` of it: passed over, so that the others' batches are full.
    aside: set[tuple[str, str]] = field(default_factory=set)
    #: How many were looked at in a batch of which some went wrong.
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One kind of due work, said once: the beat rings for it, and a sandbox's clock that is moved on meets it."""

    #: As the beat calls its ring.
    name: str
    #: `act(realm_id, at=…, limit=…)` works off a batch and says how many it saw to; fewer than `limit` were all.
    act: Callable[..., int]
    #: SQL: the first moment at which there is something to do in the realm `%(realm)s` when it is `%(at)s` there.
    first: str = ""
    batch: int = 100
    #: The ring it is done on, if that is another's too.
    beat: str = ""
    #: Where due rows stand and which column says when. None: whoever rings knows which realms have work.
    work: type[Model] | None = None
    column: str = ""

    def ring(self) -> None:
        """Work off what is due now, wherever time passes by itself."""
        if self.work is None:
            raise TypeError(f"{self.name} does not say where its due rows stand.")
        everywhere(self.work, self.column, self.at_once, batch=self.batch)

    def at_once(self, realm_id: int, at: datetime, limit: int) -> int:
        return self.act(realm_id, at=at, limit=limit)


def each(keys: Iterable[_Key], act: Callable[[_Key], object], *, told: str) -> int:
    """Let `act` see to each; trouble with one is `told` in the log and keeps no other waiting. How many there were.

    Raises:
        Exception: the last of those that went wrong; they are still due.
    """
    every, failures = list(keys), list[Exception]()
    for key in _not_aside(every, told):
        before = _aside()
        try:
            act(key)
        except TimeIsUp:
            raise
        except Exception as exc:  # noqa: BLE001  trouble with one must not stop the others; it is told
            _tell(told, exc, key=str(key))
            if _aside() == before:  # else it was some rows of it, and the rest can be seen to
                _put_aside(told, key)
            failures.append(exc)
    raise_last(failures, seen=len(every))
    return len(every)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What of the live realm could not be seen to meanwhile, by its column: the others were, and it went badly."""
    found = list[str]()
    before = _troubles.set(found)
    try:
        yield found
    finally:
        _troubles.reset(before)


def by_halves(keys: Sequence[_Key], act: Callable[[Sequence[_Key]], object], *, told: str) -> list[Exception]:
    """Let `act` see to all of these at once; if that fails to each half by itself, down to those it fails on alone.

    What went wrong with those, which is `told` in the log too: whoever calls raises the last of it when the others are
    seen to. For as long as one ring works; and where it is the database that is away, all that is left waits for it.
    """
    until, failures = time.monotonic() + WORKS_FOR_SECONDS, list[Exception]()
    fit = _not_aside(keys, told)
    left = deque([fit] if fit else [])
    while left:
        some = left.popleft()
        try:
            act(some)
        except TimeIsUp:
            raise
        except Exception as exc:  # noqa: BLE001  one bad row must not stop the others; it is told
            if is_away(exc):
                return [*failures, exc]
            if len(some) > 1 and time.monotonic() < until:
                half = len(some) // 2
                left.extendleft([some[half:], some[:half]])
                continue
            _tell(told, exc, key=str(some[0]), keys=len(some))
            if len(some) == 1:
                _put_aside(told, some[0])
            failures.append(exc)
    return failures


def has_aside(told: str) -> bool:
    """Whether something that this is `told` of cannot be seen to in this ring: all at once would fail again."""
    turn = _turn.get()
    return turn is not None and any(name == told for name, _key in turn.aside)


def _aside() -> int:
    turn = _turn.get()
    return 0 if turn is None else len(turn.aside)


def _put_aside(told: str, key: object) -> None:
    if (turn := _turn.get()) is not None:
        turn.aside.add((told, str(key)))


def _not_aside(keys: Sequence[_Key], told: str) -> Sequence[_Key]:
    turn = _turn.get()
    return [key for key in keys if (told, str(key)) not in turn.aside] if turn and turn.aside else keys


def counted(keys: Sequence[_Key], act: Callable[[Sequence[_Key]], int], *, told: str) -> int:
    """The same, where `act` says how many it saw to. Returns how many in all.

    Raises:
        Exception: the last of what went wrong, when the others are seen to.
    """
    aside, seen = len(keys) - len(_not_aside(keys, told)), list[int]()
    raise_last(by_halves(keys, lambda some: seen.append(act(some)), told=told), seen=len(keys))
    return sum(seen) + aside


def _tell(told: str, exc: Exception, **of: object) -> None:
    """It comes again at each ring, a second later maybe: where it came from is told once in a while, and that it did
    each time.
    """
    name, now = (told, type(exc), *of.values()), time.monotonic()
    if _told.get(name, 0.0) > now:
        log.error(told, error=type(exc).__name__, **of)
        return
    if len(_told) >= TOLD_MAX:
        _told.clear()
    _told[name] = now + TOLD_AGAIN_SECONDS
    log.error(told, exc_info=exc, **of)


def raise_last(failures: Sequence[Exception], *, seen: int = 0) -> None:
    """Once the others are seen to: the ring, or whoever moves a sandbox's clock, hears that something is still due.

    Of a batch in which so many were `seen`: after a full one the ring goes on with the next.

    Raises:
        Exception: the last of them, if there are any.
    """
    if failures:
        if (turn := _turn.get()) is not None:
            turn.seen = max(turn.seen, seen)
        raise failures[-1]


def in_turn(at: datetime) -> MD5:
    """An order of rows that is another one at each moment: whoever cannot be seen to does not stand in front for ever.

    The same at the same moment: a sandbox that lives a story twice lives it twice alike.
    """
    return MD5(Concat(Cast("pk", TextField()), Value(at.isoformat())))


def running_realms() -> "QuerySet[Realm]":
    """Where time passes by itself: not where it is frozen, nor where somebody is moving it on just now."""
    return Realm.objects.filter(frozen_at__isnull=True).exclude(moved_until__gt=live_now())


def realms_due(work: type[Model], column: str, *, frozen: bool = False) -> list[Realm]:
    """Realms whose clock runs and in which a row's `column` has come, by the realm's own time, in no order.

    A frozen realm is left alone: there, time passes only when its owner says so. With `frozen`, what is due there at
    the moment that stands still counts too: for work that changes nothing in the realm's own story.
    """
    running = ExpressionWrapper(Value(live_now()) + OuterRef("clock_offset"), output_field=DateTimeField())
    now = Coalesce(OuterRef("frozen_at"), running) if frozen else running
    due = work._default_manager.filter(realm_id=OuterRef("pk"), **{f"{column}__lte": now})
    realms = Realm.objects.all() if frozen else running_realms()
    return list(realms.filter(Exists(due)).order_by("?"))


def everywhere(work: type[Model], column: str, sweep: Callable[[int, datetime, int], int], *, batch: int) -> None:
    """Let `sweep(realm_id, at, limit)` work in each realm that has work, a batch in turn, while it has a full one left.

    The live realm goes first, and again after each batch of a sandbox: however many of those are full, half of the
    turns are its. It ends when the time is up, too. Trouble in one realm is logged and does not keep the others
    waiting, nor what is due beside it in its own; its rows are still due the next time. A realm's clock is read anew
    for each batch: its owner may have moved it meanwhile.
    """
    until = time.monotonic() + WORKS_FOR_SECONDS
    left = deque(realm.id for realm in realms_due(work, column))
    realm_id: int | None = None
    turns = {realm: _Turn() for realm in left}
    while left and time.monotonic() < until:
        realm_id = _next(left, realm_id)
        left.remove(realm_id)
        if _worked_off(realm_id, sweep, turns[realm_id], batch=batch, due=column):
            left.append(realm_id)


def _next(left: Sequence[int], before: int | None) -> int:
    """Whose turn it is: the live realm's, unless it has just had one and somebody else waits."""
    others = [realm_id for realm_id in left if realm_id != LIVE]
    return LIVE if LIVE in left and (before != LIVE or not others) else others[0]


def _worked_off(
    realm_id: int, sweep: Callable[[int, datetime, int], int], turn: _Turn, *, batch: int, due: str
) -> bool:
    """One batch, if time passes there. Whether it was a full one, so that more may be left."""
    realm = running_realms().filter(pk=realm_id).first()
    if realm is None:
        return False
    limit, turn.seen = batch + len(turn.aside), 0
    here = _turn.set(turn)
    try:
        return sweep(realm_id, now_in(realm), limit) >= limit
    except TimeIsUp:
        raise
    except Exception as exc:  # noqa: BLE001  trouble in one realm must not stop the others; it is told
        _tell("sweep_failed", exc, realm=realm_id, due=due)
        if realm_id == LIVE and (troubles := _troubles.get()) is not None:
            troubles.append(due)
        return turn.seen >= limit and not is_away(exc)
    finally:
        _turn.reset(here)
