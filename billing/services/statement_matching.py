"""Matching a channel statement with our records: a verdict for each line, and movements that no line mentions."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from billing.channels.statements import Damaged, Entry
from billing.models import Break, Deduction, StatementFile, StatementLine
from billing.services.known_discrepancies import new_discrepancies
from billing.services.suspense import BREAK_REVERSED, release_breaks
from kernel import ids
from kernel.bulk_writes import insert_all

#: A movement this close to a day's end may be in the channel's next day: clocks differ, and channels cut off early.
DAY_END_MARGIN = timedelta(hours=2)
ABSENT_BATCH = 2000
_INCOMING = """
CREATE TEMPORARY TABLE incoming (
    place integer, number text, key uuid, txn text, kind text, amount bigint, currency text, status text,
    at timestamptz, damage text, raw text) ON COMMIT DROP
"""
_COPY = """
COPY incoming FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL (number, txn, kind, currency, status, damage, raw))
"""
#: A line matches our record with its number, or else with its transaction. A channel may use one transaction number for
#: all refunds of a transaction, so refund lines are the same only with the same number of ours. OFFSET 0 keeps the
#: lookup on the transaction index: a file being imported has no statistics and would be read in full each time.
_COMPARE = """
WITH told AS (
    SELECT i.*, o.id AS ours, o.state, o.channel_txn, o.amount_minor AS ours_minor, o.currency AS ours_currency,
           i.status = 'success' AND (
               row_number() OVER (PARTITION BY i.status, i.kind, i.txn, CASE i.kind WHEN 'refund' THEN i.number END
                                  ORDER BY i.place) > 1
               OR EXISTS (
                   SELECT 1 FROM (SELECT statement_id, number, status, kind FROM billing_statementline
                                  WHERE channel_txn = i.txn AND channel_txn <> '' OFFSET 0) l
                   JOIN billing_statementfile s ON s.id = l.statement_id
                   WHERE l.status = 'success' AND l.kind = i.kind
                     AND (l.kind = 'debit' OR l.number = i.number)
                     AND s.realm_id = %(realm)s AND s.channel = %(channel)s
                     AND (s.id = %(statement)s OR (s.covers_on <> %(day)s AND s.trouble = '')))) AS again
    FROM incoming i LEFT JOIN LATERAL (
        SELECT * FROM (
            SELECT 1 AS way, id, state, channel_txn, amount_minor, currency FROM billing_deduction
            WHERE i.kind = 'debit' AND id = i.key AND realm_id = %(realm)s AND channel = %(channel)s
            UNION ALL SELECT 1, id, state, channel_txn, amount_minor, currency FROM billing_refundpart
            WHERE i.kind = 'refund' AND id = i.key AND realm_id = %(realm)s AND channel = %(channel)s
            UNION ALL SELECT 2, id, state, channel_txn, amount_minor, currency FROM billing_deduction
            WHERE i.kind = 'debit' AND channel_txn = i.txn AND channel = %(channel)s AND realm_id = %(realm)s
            UNION ALL SELECT 2, id, state, channel_txn, amount_minor, currency FROM billing_refundpart
            WHERE i.kind = 'refund' AND channel_txn = i.txn AND channel = %(channel)s AND realm_id = %(realm)s
            UNION ALL SELECT 1, id, 'succeeded', channel_txn, amount_minor, currency FROM billing_dispute
            WHERE i.kind = 'return' AND channel_txn = i.txn AND channel = %(channel)s AND realm_id = %(realm)s
            UNION ALL SELECT 2, id, 'sent', i.txn, i.amount, i.currency FROM billing_deduction
            WHERE i.kind = 'return' AND id = i.key AND realm_id = %(realm)s AND channel = %(channel)s
        ) found ORDER BY way LIMIT 1) o ON i.damage = ''
), judged AS (
    SELECT *, CASE
        WHEN damage <> '' THEN 'damaged'
        WHEN status = 'pending' THEN 'in_flight'
        WHEN status = 'failed' AND state = 'succeeded' THEN 'status'
        WHEN status = 'failed' AND state IN ('prepared', 'sent', 'unknown', 'waiting') THEN 'in_flight'
        WHEN status = 'failed' THEN 'nothing'
        WHEN again OR (state = 'succeeded' AND channel_txn <> txn) THEN 'duplicate'
        WHEN ours IS NULL THEN 'missing_here'
        WHEN ours_currency <> currency THEN 'currency'
        WHEN ours_minor <> amount THEN 'amount'
        WHEN state = 'succeeded' THEN 'matched'
        WHEN state IN ('prepared', 'sent', 'unknown', 'waiting') THEN 'missing_here'
        ELSE 'status' END AS verdict
    FROM told
), kept AS (
    INSERT INTO billing_statementline (statement_id, place, number, channel_txn, kind, amount_minor, currency, status,
                                       at, verdict, ours_id, damage, raw)
    SELECT %(statement)s, place, number, txn, kind, amount, currency, status, at, verdict, ours, damage, raw
    FROM judged ORDER BY place RETURNING id, place, verdict
)
SELECT k.id, j.verdict, j.kind, j.status, j.amount, j.currency, j.ours, j.state, j.ours_minor, j.ours_currency,
       j.number, j.txn
FROM kept k JOIN judged j ON j.place = k.place WHERE k.verdict = ANY (%(breaks)s) ORDER BY k.place
"""
#: Movements that succeeded here and in no file of the channel in this realm, and whether this file has them as pending.
#: One that a file has as failed has a break already.
_ABSENT = """
SELECT id, refund, amount_minor, currency, resolved_at, EXISTS (
    SELECT 1 FROM (SELECT statement_id, status, ours_id FROM billing_statementline
                   WHERE channel_txn = ours.channel_txn AND channel_txn <> '' OFFSET 0) l
    WHERE l.statement_id = %(statement)s AND l.status = 'pending' AND (NOT ours.refund OR l.ours_id = ours.id)) FROM (
    SELECT id, false AS refund, amount_minor, currency, resolved_at, realm_id, channel, channel_txn, state
    FROM billing_deduction
    UNION ALL SELECT id, true, amount_minor, currency, resolved_at, realm_id, channel, channel_txn, state
    FROM billing_refundpart) ours
WHERE realm_id = %(realm)s AND channel = %(channel)s AND state = 'succeeded'
  AND resolved_at >= %(from)s AND resolved_at < %(until)s
  AND NOT EXISTS (
    SELECT 1 FROM (SELECT statement_id, status, ours_id FROM billing_statementline
                   WHERE channel_txn = ours.channel_txn AND channel_txn <> '' OFFSET 0) l
    JOIN billing_statementfile s ON s.id = l.statement_id
    WHERE l.status = 'success' AND (NOT ours.refund OR l.ours_id = ours.id)
      AND s.realm_id = %(realm)s AND s.channel = %(channel)s)
  AND NOT EXISTS (SELECT 1 FROM billing_break b WHERE b.deduction_id = ours.id)
  AND NOT EXISTS (SELECT 1 FROM billing_break b WHERE b.refund_part_id = ours.id)
ORDER BY id LIMIT %(most)s
"""
_CLOSE_ARRIVED = """
UPDATE billing_break b SET resolution = 'came_later', closed_at = %(at)s, closed_by = %(by)s
WHERE b.realm_id = %(realm)s AND b.channel = %(channel)s AND b.closed_at IS NULL AND b.line_id IS NULL
  AND EXISTS (
    SELECT 1 FROM billing_statementline l JOIN (
        SELECT id, channel_txn FROM billing_deduction WHERE id = b.deduction_id
        UNION ALL SELECT id, channel_txn FROM billing_refundpart WHERE id = b.refund_part_id) o
        ON l.channel_txn = o.channel_txn AND l.ours_id = o.id
    WHERE l.channel_txn <> '' AND l.status = 'success' AND l.statement_id = %(statement)s)
"""
#: Whatever the amount: a line with another amount is a break of its own, counted against our amount.
_ARRIVED_IN_SUSPENSE = """
SELECT b.id FROM billing_break b WHERE b.realm_id = %(realm)s AND b.channel = %(channel)s AND b.line_id IS NULL
  AND b.resolution = 'suspense'
  AND EXISTS (SELECT 1 FROM billing_statementline l WHERE l.statement_id = %(statement)s AND l.status = 'success'
              AND l.verdict IN ('matched', 'amount', 'currency')
              AND l.ours_id = coalesce(b.deduction_id, b.refund_part_id)
              AND l.channel_txn = coalesce((SELECT channel_txn FROM billing_deduction WHERE id = b.deduction_id),
                                           (SELECT channel_txn FROM billing_refundpart WHERE id = b.refund_part_id)))
  AND NOT EXISTS (SELECT 1 FROM ledger_posting p WHERE p.cause_id = b.id AND p.kind = %(back)s)
ORDER BY b.id
"""


def store_lines(statement: StatementFile, rows: Sequence[Entry | Damaged], *, at: datetime) -> None:
    """Store these lines with their verdicts, and open a break for each mismatch that is not known yet.

    The caller has locked the file.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        cursor.copy_expert(_COPY, _as_csv(rows))
        cursor.execute("ANALYZE incoming")
        cursor.execute(_COMPARE, _sql_params(statement) | {"breaks": list(StatementLine.BREAKS)})
        mismatches = [
            dict(zip((column[0] for column in cursor.description), row, strict=True)) for row in cursor.fetchall()
        ]
        cursor.execute("DROP TABLE incoming")
    insert_all([_build_break(statement, row, at=at) for row in new_discrepancies(statement, mismatches)])


def open_absent_breaks(statement: StatementFile, *, at: datetime) -> None:
    """Open a break for each movement that succeeded here on the file's day and is in no file so far."""
    params = {"from": statement.covers_from, "until": statement.covers_until, "most": ABSENT_BATCH}
    found: list[Any] = [None]
    while found:
        with connection.cursor() as cursor:
            cursor.execute(_ABSENT, _sql_params(statement) | params)
            found = cursor.fetchall()
        insert_all([_build_absent_break(statement, row, at=at) for row in found])


def close_arrived_breaks(statement: StatementFile, *, by: str, at: datetime) -> None:
    """Close breaks of missing movements that are in this file, and release what suspense holds for them."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_ARRIVED, _sql_params(statement) | {"at": at, "by": by})
        cursor.execute(_ARRIVED_IN_SUSPENSE, _sql_params(statement) | {"back": BREAK_REVERSED})
        placed = [key for (key,) in cursor.fetchall()]
    release_breaks(Break.objects.filter(pk__in=placed), realm_id=statement.realm_id, at=at)


def escalate_late_breaks(statement: StatementFile, *, by: str, at: datetime) -> None:
    """Turn `late` breaks of earlier days into `missing_there` where the movement is not in this file either."""
    late = Break.objects.filter(
        realm_id=statement.realm_id,
        channel=statement.channel,
        kind=Break.Kind.LATE,
        closed_at__isnull=True,
        statement__covers_on__lt=statement.covers_on,
    )
    waiting = list(late.select_for_update(of=("self",), no_key=True).order_by("id"))
    closed = {"resolution": Break.Resolution.NEVER_CAME, "closed_by": by, "closed_at": at}
    Break.objects.filter(pk__in=[row.pk for row in waiting]).update(**closed)
    for row in waiting:
        row.id, row.kind, row.statement, row.opened_at = ids.uuid7(), Break.Kind.MISSING_THERE, statement, at
    insert_all(waiting)


def _sql_params(statement: StatementFile) -> dict[str, Any]:
    return {
        "realm": statement.realm_id,
        "channel": statement.channel,
        "statement": statement.id,
        "day": statement.covers_on,
    }


def _as_csv(rows: Sequence[Entry | Damaged]) -> io.StringIO:
    file = io.StringIO()
    writer = csv.writer(file)
    for row in rows:
        if isinstance(row, Damaged):
            writer.writerow([row.place, "", None, "", "", None, "", "", None, row.why, row.raw])
        else:
            place, number, txn, kind, amount, currency, status, at = row
            writer.writerow([place, number, ids.parse_hex(number), txn, kind, amount, currency, status, at, "", ""])
    file.seek(0)
    return file


def _build_break(statement: StatementFile, row: dict[str, Any], *, at: datetime) -> Break:
    """Build the break of a mismatched line. `heard_at` stays empty if the resolver still has to see what it reports."""
    ours: UUID | None = row["ours"]
    refund, is_return = row["kind"] == "refund", row["kind"] == "return"
    if is_return and row["verdict"] != StatementLine.Verdict.MISSING_HERE:
        ours = None  # a dispute, and no debit
    is_booked = row["state"] == Deduction.State.SUCCEEDED and row["verdict"] != StatementLine.Verdict.DUPLICATE
    return Break(
        realm_id=statement.realm_id,
        channel=statement.channel,
        kind=row["verdict"],
        statement=statement,
        line_id=row["id"],
        deduction_id=None if refund else ours,
        refund_part_id=ours if refund else None,
        theirs_minor=row["amount"],
        theirs_currency=row["currency"],
        ours_minor=row["ours_minor"] if is_booked else None,
        ours_currency=row["ours_currency"] if is_booked else "",
        refund=refund or is_return,
        opened_at=at,
        heard_at=None if ours and row["status"] == "success" else at,
    )


def _build_absent_break(
    statement: StatementFile, row: tuple[UUID, bool, int, str, datetime, bool], *, at: datetime
) -> Break:
    """Build the break of a movement in no file: `late` if it may come next day, being pending or near the day's end."""
    key, refund, minor, currency, resolved_at, pending = row
    may_still_arrive = pending or resolved_at >= statement.covers_until - DAY_END_MARGIN
    return Break(
        realm_id=statement.realm_id,
        channel=statement.channel,
        kind=Break.Kind.LATE if may_still_arrive else Break.Kind.MISSING_THERE,
        statement=statement,
        deduction_id=None if refund else key,
        refund_part_id=key if refund else None,
        ours_minor=minor,
        ours_currency=currency,
        refund=refund,
        opened_at=at,
        heard_at=at,
    )
