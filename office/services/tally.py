"""Counting what happened, day by day: each line of history once, whoever rings and however often."""

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from kernel.sweeps import each
from office import rules
from office.models import Counted
from office.queries.streams import STREAMS, Stream

log = structlog.get_logger(__name__)
LINES_A_BATCH = 5000
#: How long one ring goes on; what is left is counted at the next.
WORKS_FOR_SECONDS = 10.0
#: What stands open is counted anew so often; it is the one figure that is read off the rows.
STOCK, STOCK_EVERY = "stock", timedelta(minutes=5)
_STOCK_SECONDS = 60

_ADDED = """
INSERT INTO office_tally (realm_id, merchant_id, service_id, day_on, metric, key, currency, number, amount_minor)
SELECT realm_id, merchant_id, service_id, (at AT TIME ZONE %(zone)s)::date, metric, key, currency,
       count(*), sum(minor)
FROM ({facts}) f
GROUP BY GROUPING SETS ((1, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7))
ORDER BY 1, 2, 4, 5, 6, 3, 7
ON CONFLICT (realm_id, merchant_id, day_on, metric, key, service_id, currency) DO UPDATE
SET number = office_tally.number + EXCLUDED.number, amount_minor = office_tally.amount_minor + EXCLUDED.amount_minor
"""
_DAY = "((coalesce(r.frozen_at, %(real)s + r.clock_offset)) AT TIME ZONE %(zone)s)::date"
# What is no longer there today must not stay as it was an hour ago.
_EMPTIED = f"""
UPDATE office_tally t SET number = 0, amount_minor = 0 FROM kernel_realm r
WHERE r.id = t.realm_id AND t.metric = 'stock' AND t.number > 0 AND t.day_on = {_DAY}
"""  # noqa: S608  our own words
_STOCK = f"""
INSERT INTO office_tally (realm_id, merchant_id, service_id, day_on, metric, key, currency, number, amount_minor)
SELECT realm_id, merchant_id, service_id, day_on, 'stock', bucket, currency, count(*), sum(minor)
FROM (SELECT b.realm_id, b.merchant_id, o.service_id, {_DAY} AS day_on, b.bucket, b.currency,
             b.amount_minor - b.paid_minor AS minor
      FROM orders_obligation b JOIN orders_order o ON o.id = b.order_id JOIN kernel_realm r ON r.id = b.realm_id
      WHERE b.state = 'overdue' AND b.kind = 'principal') s
GROUP BY GROUPING SETS ((1, 4, 6, 7), (1, 2, 3, 4, 6, 7))
ON CONFLICT (realm_id, merchant_id, day_on, metric, key, service_id, currency) DO UPDATE
SET number = EXCLUDED.number, amount_minor = EXCLUDED.amount_minor
"""  # noqa: S608  our own words


def count_all(*, real: datetime) -> int:
    """Count what has happened and been seen to by now, when it is `real` outside. Returns how many lines it looked at.

    Nothing is lost by not being called: the next call goes on where the last one that ended had come to. Trouble with
    one stream keeps no other waiting.

    Raises:
        Exception: the last of what went wrong; its lines are counted the next time.
    """
    until, upto = time.monotonic() + WORKS_FOR_SECONDS, settled(real)
    seen: Counter[str] = Counter()

    def count(name: str) -> None:
        if name == STOCK:
            take_stock(real=real)
            return
        done = LINES_A_BATCH
        while done >= LINES_A_BATCH and time.monotonic() < until:
            done = count_batch(STREAMS[name], upto=upto)
            seen[name] += done

    each((*STREAMS, STOCK), count, told="not_counted")
    return seen.total()


def settled(real: datetime) -> datetime:
    """Until when everything that was ever written is to be seen: keys are made in transactions that may still be open.

    Whoever writes history is of our own role, and so are the transactions looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        )
        (oldest,) = cursor.fetchone()
    return min(real, oldest or real) - rules.SETTLED_AFTER


@transaction.atomic
def count_batch(stream: Stream, *, upto: datetime, limit: int = LINES_A_BATCH) -> int:
    """Count the next lines of a stream, as far as `upto`, and move its mark past them. How many lines there were."""
    mark = _mark(stream.name)
    if mark is None:
        return 0
    after, last = mark.last or UUID(int=0), rules.edge(upto)
    if last <= after:
        return 0
    top, lines = _next(stream, after, last, limit)
    if lines:
        _run(_ADDED.format(facts=stream.sql), after=after, upto=top)
    mark.last = top if lines else after
    mark.counted_until = upto if lines < limit else rules.made_at(top)
    mark.save()
    return lines


@transaction.atomic
def take_stock(*, real: datetime) -> bool:
    """Count what is overdue now, as the figure of today, if that was not done just now."""
    mark = _mark(STOCK)
    if mark is None or (mark.counted_until and real - mark.counted_until < STOCK_EVERY):
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{_STOCK_SECONDS}s'")
    _run(_EMPTIED, real=real)
    _run(_STOCK, real=real)
    mark.counted_until = real
    mark.save()
    return True


def _mark(name: str) -> Counted | None:
    """The stream's mark, locked; None while somebody else counts it."""
    Counted.objects.bulk_create([Counted(stream=name)], ignore_conflicts=True)
    return Counted.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=name).first()


def _next(stream: Stream, after: UUID, last: UUID, limit: int) -> tuple[UUID, int]:
    """The key of the last line of the next batch, and how many lines it has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (array_agg(id ORDER BY id DESC))[1], count(*) FROM"  # noqa: S608  our own name
            f" (SELECT id FROM {stream.table} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s) b",
            [after, last, limit],
        )
        top, lines = cursor.fetchone()
    return top or last, lines


def _run(sql: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"zone": settings.CONSOLE_ZONE, **values})
