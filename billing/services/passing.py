"""Time passes in one realm: from one moment at which anything is due to the next, what is due then being done then."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

import structlog

from accounts import deliver
from billing.services import (
    ask,
    ask_parts,
    callbacks,
    deduct,
    invoice,
    payouts,
    press_disputes,
    send_again,
    settlement,
    untold,
    watch_returns,
)
from credit import limit_review
from kernel.prepared import Question
from kernel.sweeps import Sweep
from orders import services as orders

log = structlog.get_logger(__name__)
#: Everything that falls due in a realm, in the order in which it is done at one moment: money first, then what its lack
#: means, then what people hear of it.
SWEEPS: tuple[Sweep, ...] = (
    deduct.DUE,
    ask.DUE,
    ask_parts.DUE,
    send_again.DUE,
    ask_parts.PAYOUTS_DUE,
    callbacks.DUE,
    press_disputes.DUE,
    watch_returns.DUE,
    settlement.DUE,
    invoice.DUE,
    payouts.DUE,
    orders.GOING_OVERDUE,
    orders.DAYS_ENDING,
    orders.UNCONFIRMED,
    limit_review.DUE,
    *untold.STAGES,
    deliver.QUEUED,
)
#: After which of them, when they did something, another one may have something to do at once, whatever was due before.
#: Of what is overdue people hear when its days were counted, or what stood in the way has ended.
AFTER: Mapping[str, frozenset[str]] = {
    "overdue_days": frozenset(
        {"deduct", "ask", "ask_refunds", "refunds_again", "callbacks", "disputes", "overdue", "days"}
    ),
    "notices": frozenset(
        {
            "deduct",
            "ask",
            "ask_refunds",
            "refunds_again",
            "callbacks",
            "disputes",
            "limits",
            *(sweep.name for sweep in untold.STAGES),
        }
    ),
}
#: Rings that are nobody's on a sandbox's clock, and why. A new ring stands here or above, or a test fails.
IN_REAL_TIME = {
    "outages": "a channel is out by a colleague's word, in real time; a clock that is moved on looks once",
    "statements": "a channel's file comes in real time; a clock that is moved on is caught up by the next ring",
    "books": "a day is closed long after its end; a clock that is moved on is caught up by the next ring",
    "webhooks": "a receiver lives in real time: what became due is sent to it once the clock stands",
    "webhooks_again": "the same, for receivers that did not answer the last time",
    "letters": "a mail to a merchant's staff, who live in real time",
    "files": "a long list of the console is a file, which is fetched and expires in real time",
    "exports": "a copy of somebody's data is a file, which is fetched and expires in real time",
    "erasures": "whoever asks to be forgotten may take it back for some days of real time",
    "answers": "how long a caller may repeat a request is real time",
    "sessions": "somebody is signed in, or no longer, in real time",
    "proposals": "a second colleague has days of real time to agree",
    "figures": "what happened is counted for colleagues, who live in real time",
}
#: What is still due after it was done, because somebody else has it in hand, or nobody can do it, is looked at so often
#: once more, from some time on with a pause in seconds between: a second of real time in all.
LOOKS, EASY_LOOKS, PAUSE = 55, 5, 0.02
#: After that it is tried again so much later in the realm's time; then after twice as long, up to the last.
FIRST_WAIT, LAST_WAIT = timedelta(minutes=1), timedelta(days=1)
Moments: TypeAlias = dict[str, datetime]


def first_moments(realm_id: int, *, at: datetime, sweeps: Sequence[Sweep] = SWEEPS) -> Moments:
    """When each kind has something to do next, seen when it is `at`; not those that have nothing."""
    dated = [sweep for sweep in sweeps if sweep.first]
    asked = ", ".join(f"({sweep.first})" for sweep in dated)
    (found,) = _question(f"SELECT {asked}").rows(realm_id, at)
    return {sweep.name: moment for sweep, moment in zip(dated, found, strict=True) if moment is not None}


@lru_cache(maxsize=8)
def _question(asked: str) -> Question:
    return Question(asked % {"realm": "$1", "at": "$2"}, ["bigint", "timestamptz"])


class Passing:
    """Time on its way in one realm. `move` sets its clock to a moment, or one a little later, and says to which."""

    def __init__(self, realm_id: int, move: Callable[[datetime], datetime]) -> None:
        self.realm_id, self._move = realm_id, move
        self._work: Counter[str] = Counter()
        #: Of each kind: when it was done last, how often since it was still due, and when it is tried again if it is.
        self._done: dict[str, datetime] = {}
        self._looks: Counter[str] = Counter()
        self._put_off: dict[str, tuple[datetime, timedelta]] = {}

    @property
    def work(self) -> Mapping[str, int]:
        """How much each kind saw to."""
        return {name: count for name, count in self._work.items() if count}

    def live(self, at: datetime, to: datetime, *, until: float) -> bool:
        """From `at` to the moment `to`, or as far as it comes before `until`, by time.monotonic. Whether it arrived."""
        for sweep in SWEEPS:
            if not sweep.first:
                self._do(sweep, at, until=until)
        while time.monotonic() < until:
            moments = self._moments(at)
            first = min(moments.values(), default=None)
            if first is None or first > to:
                self._move(to)
                return True
            if first > at:
                at = self._move(first)
            busy: set[str] = set()
            for sweep in SWEEPS:
                due = sweep.name in moments and moments[sweep.name] <= at
                if (due or busy & AFTER.get(sweep.name, frozenset())) and self._do(sweep, at, until=until):
                    busy.add(sweep.name)
        return False

    def _moments(self, at: datetime) -> Moments:
        """When each kind is to be done next. One that is still due after it was done is waited for a little."""
        moments = first_moments(self.realm_id, at=at)
        for name, moment in moments.items():
            done = self._done.get(name)
            if done is None or moment > done:
                self._looks.pop(name, None)
                self._put_off.pop(name, None)
            else:
                moments[name] = self._look_again(name, moment, at)
        return moments

    def _look_again(self, name: str, moment: datetime, at: datetime) -> datetime:
        """When to do what was due at a moment and still is: now, or later if that was in vain often enough."""
        again, wait = self._put_off.get(name, (None, FIRST_WAIT))
        if again is not None and self._done[name] < again:
            return max(moment, again)
        self._looks[name] += 1
        if again is None and self._looks[name] < LOOKS:
            time.sleep(PAUSE if self._looks[name] > EASY_LOOKS else 0)
            return moment
        log.warning("still_due", realm=self.realm_id, kind=name, since=moment.isoformat(), at=at.isoformat())
        self._put_off[name] = (at + wait, min(2 * wait, LAST_WAIT))
        return at + wait

    def _do(self, sweep: Sweep, at: datetime, *, until: float) -> int:
        """What of a kind is due at this moment, until there is no full batch left. How much it was."""
        self._done[sweep.name] = at
        done = count = self._batch(sweep, at)
        while count >= sweep.batch and time.monotonic() < until:
            count = self._batch(sweep, at)
            done += count
        return done

    def _batch(self, sweep: Sweep, at: datetime) -> int:
        count = sweep.act(self.realm_id, at=at, limit=sweep.batch)
        self._work[sweep.beat or sweep.name] += count
        return count
