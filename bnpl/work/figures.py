"""The figures: read from the database and the broker when somebody asks, so any process answers for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import redis
from django.db import connection, transaction
from kombu.transport.redis import Channel

from bnpl import heartbeat
from bnpl.celery import QUEUES
from bnpl.work.kind import Kind, Limit, Rows, plainly, rounded
from bnpl.work.kinds import KINDS

#: Counted up to here in each mode; the figure then reads "or more".
COUNT_MAX = 100_000


class State(IntEnum):
    """Whether it is how it should be."""

    OK = 0
    LATE = 1
    STUCK = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """How much of one kind of work waits, and since when; `mode` is live, test, or empty for the house itself."""

    work: str
    mode: str = ""
    of: str = ""
    #: None where there is nothing to count.
    items: int | None = None
    oldest: timedelta | None = None
    state: State = State.OK

    @property
    def kind(self) -> Kind:
        return KINDS[self.work]

    @property
    def word(self) -> str:
        return self.state.name.lower()

    @property
    def number(self) -> str:
        if self.items is None:
            return ""
        return f"{self.items} or more" if self.items >= COUNT_MAX else str(self.items)

    @property
    def waited(self) -> timedelta:
        """Since when the oldest waits, in whole units."""
        return rounded(self.oldest or timedelta())

    @property
    def age(self) -> str:
        return plainly(self.oldest) if self.oldest else ""


# Each realm lives by its own clock, and what stands frozen waits by its owner's will. Of each realm the oldest rows are
# counted first, of a mode no more than the bound.
_REALMS = """
WITH realms AS MATERIALIZED (
    SELECT id, mode, %(at)s::timestamptz + clock_offset AS now FROM kernel_realm WHERE frozen_at IS NULL ORDER BY id
), modes (mode) AS (VALUES ('live'), ('test'))
"""
_ROWS = """
SELECT '{work}', m.mode, coalesce(x.of, ''), count(x.now), coalesce(max(x.now - x.since), '0')
FROM modes m LEFT JOIN LATERAL (
    SELECT r.now, w.of, w.since FROM realms r CROSS JOIN LATERAL (
        SELECT {of} AS of, {since} AS since FROM {table}
        WHERE realm_id = r.id AND {column} {until} AND {where}
        ORDER BY {column} LIMIT %(most)s) w
    WHERE r.mode = m.mode LIMIT %(most)s) x ON true
GROUP BY m.mode, x.of
"""
# The sandbox bank knows no realms: a token begins with its realm's number.
_CALLBACKS = """
SELECT 'callbacks_due', 'test', '', count(*), coalesce(max(r.now - c.due_at), '0')
FROM (SELECT number, due_at FROM sandbox_bank.callback
      WHERE delivered_at IS NULL ORDER BY due_at LIMIT %(most)s) c
JOIN sandbox_bank.debit d ON d.number = c.number
JOIN realms r ON r.id::text = split_part(d.token, ':', 1) AND c.due_at <= r.now
"""
# Whatever the statistics say, each index of open work is walked in its order: a bound is a bound. And to compile
# the question would take longer than to answer it.
WALK_INDEXES = "; ".join(
    f"SET LOCAL {name} = off" for name in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
)


def under_way(*, real: datetime) -> list[Figure]:
    """Every figure there is when it is `real` outside: what is stuck first, live before test.

    Raises:
        django.db.OperationalError: the database cannot be asked. A broker that cannot be is a figure.
    """
    found = [*_rows(real), *_doorbell(real)]
    order = list(KINDS)
    return sorted(found, key=lambda figure: (-figure.state, figure.mode, order.index(figure.work), figure.of))


def question() -> str:
    """All that is asked of the database, in one statement: every figure is of the same moment."""
    parts = [_asked(work, kind.rows) for work, kind in KINDS.items() if kind.rows]
    return _REALMS + "UNION ALL".join([*parts, _CALLBACKS])


def _asked(work: str, rows: Rows) -> str:
    return _ROWS.format(
        work=work,
        table=rows.model._meta.db_table,
        column=rows.column,
        until="IS NOT NULL" if rows.whole else f"<= r.now - interval '{rows.after.days} days'",
        where=rows.where,
        of=rows.of or "''",
        since=rows.since or rows.column,
    )


def judged(
    work: str, mode: str = "", of: str = "", items: int | None = None, oldest: timedelta | None = None
) -> Figure:
    """A figure, and what it means by its kind's limits."""
    kind = KINDS[work]
    if _reached(kind.stuck, items, oldest):
        state = State.STUCK
    else:
        state = State.LATE if _reached(kind.late, items, oldest) else State.OK
    return Figure(work, mode, of, items, oldest, state)


def _reached(limit: Limit | None, items: int | None, oldest: timedelta | None) -> bool:
    if items == 0:
        return False
    if isinstance(limit, int):
        return (items or 0) >= limit
    return limit is not None and oldest is not None and oldest >= limit


@transaction.atomic
def _rows(real: datetime) -> list[Figure]:
    with connection.cursor() as cursor:
        cursor.execute(WALK_INDEXES)
        cursor.execute(question(), {"at": real, "most": COUNT_MAX})
        return [judged(*found) for found in cursor.fetchall()]


def _doorbell(real: datetime) -> Iterator[Figure]:
    """The broker, who listens to it, and what it holds. Without it there is one figure, and it is stuck."""
    try:
        with heartbeat.broker() as broker:
            waiting = {queue: broker.llen(queue) for queue in QUEUES}
            taken = broker.hlen(Channel.unacked_key)
            first = broker.zrange(Channel.unacked_index_key, 0, 0, withscores=True)
            pulse = heartbeat.age(broker)
    except redis.RedisError:
        yield Figure("broker", state=State.STUCK)
        return
    yield Figure("broker")
    yield judged("worker", oldest=pulse)
    yield from (judged("queue", of=queue, items=items) for queue, items in waiting.items())
    yield judged(
        "unacked", items=taken, oldest=real - datetime.fromtimestamp(first[0][1], UTC) if first else timedelta()
    )
