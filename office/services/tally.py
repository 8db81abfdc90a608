"""Counts history into daily tallies. Every history row is counted exactly once, however often the job runs."""

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from kernel.sweeps import process_each
from office import rules
from office.models import Counted
from office.queries.streams import STREAMS, Stream

log = structlog.get_logger(__name__)
BATCH_SIZE = 5000
#: How long one run may take; the rest is counted by the next run.
TIME_BUDGET_SECONDS = 10.0
#: The stock of overdue debts is counted afresh this often; it is the only figure read from current rows.
STOCK, STOCK_EVERY = "stock", timedelta(minutes=5)
_STOCK_TIMEOUT_SECONDS = 60

_ADD_SQL = """
INSERT INTO office_tally (realm_id, merchant_id, service_id, day_on, metric, key, currency, number, amount_minor)
SELECT realm_id, merchant_id, service_id, (at AT TIME ZONE %(zone)s)::date, metric, key, currency,
       count(*), sum(minor)
FROM ({facts}) f
GROUP BY GROUPING SETS ((1, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7))
ORDER BY 1, 2, 4, 5, 6, 3, 7
ON CONFLICT (realm_id, merchant_id, day_on, metric, key, service_id, currency) DO UPDATE
SET number = office_tally.number + EXCLUDED.number, amount_minor = office_tally.amount_minor + EXCLUDED.amount_minor
"""
_REALM_DAY = "((coalesce(r.frozen_at, %(real)s + r.clock_offset)) AT TIME ZONE %(zone)s)::date"
# Buckets that are empty now must not keep an earlier count of today.
_RESET_STOCK_SQL = f"""
UPDATE office_tally t SET number = 0, amount_minor = 0 FROM kernel_realm r
WHERE r.id = t.realm_id AND t.metric = 'stock' AND t.number > 0 AND t.day_on = {_REALM_DAY}
"""  # noqa: S608  constants only
_STOCK_SQL = f"""
INSERT INTO office_tally (realm_id, merchant_id, service_id, day_on, metric, key, currency, number, amount_minor)
SELECT realm_id, merchant_id, service_id, day_on, 'stock', bucket, currency, count(*), sum(minor)
FROM (SELECT b.realm_id, b.merchant_id, o.service_id, {_REALM_DAY} AS day_on, b.bucket, b.currency,
             b.amount_minor - b.paid_minor AS minor
      FROM orders_obligation b JOIN orders_order o ON o.id = b.order_id JOIN kernel_realm r ON r.id = b.realm_id
      WHERE b.state = 'overdue' AND b.kind = 'principal') s
GROUP BY GROUPING SETS ((1, 4, 6, 7), (1, 2, 3, 4, 6, 7))
ON CONFLICT (realm_id, merchant_id, day_on, metric, key, service_id, currency) DO UPDATE
SET number = EXCLUDED.number, amount_minor = EXCLUDED.amount_minor
"""  # noqa: S608  constants only


def count_all(*, real: datetime) -> int:
    """Count what was written up to `real`, the real time. Returns how many history rows were read.

    Each run continues where the last one ended, so a missed run loses nothing. A stream that fails does not stop the
    others.

    Raises:
        Exception: the last stream's error, if any failed; its rows are counted by the next run.
    """
    deadline, until = time.monotonic() + TIME_BUDGET_SECONDS, visible_until(real)
    rows_read: Counter[str] = Counter()

    def count(name: str) -> None:
        if name == STOCK:
            take_stock(real=real)
            return
        done = BATCH_SIZE
        while done >= BATCH_SIZE and time.monotonic() < deadline:
            done = count_batch(STREAMS[name], until=until)
            rows_read[name] += done

    process_each((*STREAMS, STOCK), count, event="not_counted")
    return rows_read.total()


def visible_until(real: datetime) -> datetime:
    """Up to when all written rows are visible: transactions that are still open may yet commit rows with earlier keys.

    All writers use our own database role, so pg_stat_activity shows their transactions.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        )
        (oldest,) = cursor.fetchone()
    return min(real, oldest or real) - rules.VISIBILITY_LAG


@transaction.atomic
def count_batch(stream: Stream, *, until: datetime, limit: int = BATCH_SIZE) -> int:
    """Count the stream's next rows, up to `upto`, and move its mark past them. Returns how many rows."""
    mark = _lock_mark(stream.name)
    if mark is None:
        return 0
    after, last = mark.last or UUID(int=0), rules.min_key_at(until)
    if last <= after:
        return 0
    top, lines = _next_batch(stream, after, last, limit)
    if lines:
        _execute(_ADD_SQL.format(facts=stream.sql), after=after, upto=top)
    mark.last = top if lines else after
    mark.counted_until = until if lines < limit else rules.key_time(top)
    mark.save()
    return lines


@transaction.atomic
def take_stock(*, real: datetime) -> bool:
    """Count the debts overdue now as today's figure, unless that was done within `STOCK_EVERY`."""
    mark = _lock_mark(STOCK)
    if mark is None or (mark.counted_until and real - mark.counted_until < STOCK_EVERY):
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{_STOCK_TIMEOUT_SECONDS}s'")
    _execute(_RESET_STOCK_SQL, real=real)
    _execute(_STOCK_SQL, real=real)
    mark.counted_until = real
    mark.save()
    return True


def _lock_mark(name: str) -> Counted | None:
    """The stream's mark, locked; None while another worker counts it."""
    Counted.objects.bulk_create([Counted(stream=name)], ignore_conflicts=True)
    return Counted.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=name).first()


def _next_batch(stream: Stream, after: UUID, last: UUID, limit: int) -> tuple[UUID, int]:
    """The key of the last row of the next batch, and how many rows the batch has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (array_agg(id ORDER BY id DESC))[1], count(*) FROM"  # noqa: S608  a constant
            f" (SELECT id FROM {stream.table} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) b",
            [after, last, limit],
        )
        top, lines = cursor.fetchone()
    return top or last, lines


def _execute(sql: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"zone": settings.CONSOLE_ZONE, **values})
