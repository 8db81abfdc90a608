"""The gauges of work in progress: read from the database and the broker on demand, so any process can serve them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import redis
from django.db import connection, transaction
from kombu.transport.redis import Channel

from bnpl import heartbeat
from bnpl.celery import QUEUES
from bnpl.work.catalog import WORK_KINDS
from bnpl.work.work_kind import Limit, RowQuery, WorkKind, format_limit, round_age

#: Rows are counted up to here in each mode; above it the gauge reads "or more".
COUNT_MAX = 100_000


class State(IntEnum):
    """Whether work waits longer than it should."""

    OK = 0
    LATE = 1
    STUCK = 2


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of one kind of work waits, and since when; `mode` is live, test, or empty for processes and broker."""

    work: str
    mode: str = ""
    group: str = ""
    #: None where nothing is counted.
    items: int | None = None
    oldest: timedelta | None = None
    state: State = State.OK

    @property
    def kind(self) -> WorkKind:
        return WORK_KINDS[self.work]

    @property
    def state_name(self) -> str:
        return self.state.name.lower()

    @property
    def items_text(self) -> str:
        if self.items is None:
            return ""
        return f"{self.items} or more" if self.items >= COUNT_MAX else str(self.items)

    @property
    def rounded_age(self) -> timedelta:
        """The age of the oldest item in whole units."""
        return round_age(self.oldest or timedelta())

    @property
    def age_text(self) -> str:
        return format_limit(self.oldest) if self.oldest else ""


# Each realm has its own clock; a frozen realm's work waits on purpose and is not counted. The oldest rows of each realm
# are counted first, and no more than the bound of each mode.
_REALMS = """
WITH realms AS MATERIALIZED (
    SELECT id, mode, %(at)s::timestamptz + clock_offset AS now FROM kernel_realm WHERE frozen_at IS NULL ORDER BY id
), modes (mode) AS (VALUES ('live'), ('test'))
"""
_ROW_QUERY = """
SELECT '{work}', m.mode, coalesce(x.of, ''), count(x.now), coalesce(max(x.now - x.since), '0')
FROM modes m LEFT JOIN LATERAL (
    SELECT r.now, w.of, w.since FROM realms r CROSS JOIN LATERAL (
        SELECT {of} AS of, {since} AS since FROM {table}
        WHERE realm_id = r.id AND {column} {until} AND {where}
        ORDER BY {column} LIMIT %(most)s) w
    WHERE r.mode = m.mode LIMIT %(most)s) x ON true
GROUP BY m.mode, x.of
"""
# The sandbox bank has no realm column: its tokens begin with the realm's id.
_CALLBACK_QUERY = """
SELECT 'callbacks_due', 'test', '', count(*), coalesce(max(r.now - c.due_at), '0')
FROM (SELECT number, due_at FROM sandbox_bank.callback
      WHERE delivered_at IS NULL ORDER BY due_at LIMIT %(most)s) c
JOIN sandbox_bank.debit d ON d.number = c.number
JOIN realms r ON r.id::text = split_part(d.token, ':', 1) AND c.due_at <= r.now
"""
# No row on a standby and where nothing is archived. The current segment is not complete yet. Until the first segment is
# archived, failed attempts are counted.
ARCHIVE_QUERY = """
SELECT 'wal_archive', '', '', CASE WHEN archived IS NULL THEN failed_count
    ELSE greatest(div(pg_current_wal_lsn() - '0/0', size) - 1 - archived, 0)::bigint END, NULL::interval
FROM (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS size
      WHERE current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery()) s
CROSS JOIN pg_stat_archiver
LEFT JOIN LATERAL (SELECT ('x' || substr(last_archived_wal, 9, 8))::bit(32)::bigint * (4294967296 / size)
                        + ('x' || substr(last_archived_wal, 17, 8))::bit(32)::bigint AS archived
                   WHERE last_archived_wal ~ '^[0-9A-F]{24}') a ON true
"""
# Whatever the planner's statistics, each partial index is read in its order, so that LIMIT bounds the cost. And JIT
# compilation would take longer than the query.
WALK_INDEXES = "; ".join(
    f"SET LOCAL {name} = off" for name in ("enable_seqscan", "enable_bitmapscan", "enable_sort", "jit")
)


def read_gauges(*, real: datetime) -> list[Gauge]:
    """Every gauge at the real time `real`: stuck ones first, live before test.

    Raises:
        django.db.OperationalError: the database is unavailable. An unavailable broker is a gauge.
    """
    gauges = [*_row_gauges(real), *_broker_gauges(real)]
    order = list(WORK_KINDS)
    return sorted(gauges, key=lambda gauge: (-gauge.state, gauge.mode, order.index(gauge.work), gauge.group))


def build_query() -> str:
    """The query for all rows in one statement, so that every gauge is of the same moment."""
    parts = [_row_query(work, kind.rows) for work, kind in WORK_KINDS.items() if kind.rows]
    return _REALMS + "\nUNION ALL\n".join([*parts, _CALLBACK_QUERY, ARCHIVE_QUERY])


def _row_query(work: str, rows: RowQuery) -> str:
    return _ROW_QUERY.format(
        work=work,
        table=rows.model._meta.db_table,
        column=rows.column,
        until="IS NOT NULL" if rows.includes_future else f"<= r.now - interval '{rows.min_age.days} days'",
        where=rows.where,
        of=rows.group_by or "''",
        since=rows.since or rows.column,
    )


def evaluate(
    work: str, mode: str = "", group: str = "", items: int | None = None, oldest: timedelta | None = None
) -> Gauge:
    """A gauge with its state by the limits of its kind."""
    kind = WORK_KINDS[work]
    if _is_reached(kind.stuck, items, oldest):
        state = State.STUCK
    else:
        state = State.LATE if _is_reached(kind.late, items, oldest) else State.OK
    return Gauge(work, mode, group, items, oldest, state)


def _is_reached(limit: Limit | None, items: int | None, oldest: timedelta | None) -> bool:
    if items == 0:
        return False
    if isinstance(limit, int):
        return (items or 0) >= limit
    return limit is not None and oldest is not None and oldest >= limit


@transaction.atomic
def _row_gauges(real: datetime) -> list[Gauge]:
    with connection.cursor() as cursor:
        cursor.execute(WALK_INDEXES)
        cursor.execute(build_query(), {"at": real, "most": COUNT_MAX})
        return [evaluate(*row) for row in cursor.fetchall()]


def _broker_gauges(real: datetime) -> Iterator[Gauge]:
    """The broker, the worker's heartbeat, and the queues. While it is unavailable, only the broker's gauge, stuck."""
    try:
        with heartbeat.connect_broker() as broker:
            waiting = {queue: broker.llen(queue) for queue in QUEUES}
            unacked = broker.hlen(Channel.unacked_key)
            oldest = broker.zrange(Channel.unacked_index_key, 0, 0, withscores=True)
            heartbeat_age = heartbeat.heartbeat_age(broker)
    except redis.RedisError:
        yield Gauge("broker", state=State.STUCK)
        return
    yield Gauge("broker")
    yield evaluate("worker", oldest=heartbeat_age)
    yield from (evaluate("queue", group=queue, items=items) for queue, items in waiting.items())
    yield evaluate(
        "unacked", items=unacked, oldest=real - datetime.fromtimestamp(oldest[0][1], UTC) if oldest else timedelta()
    )
