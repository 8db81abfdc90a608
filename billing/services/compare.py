"""A statement's lines are held against our records: a verdict for each line, and what no line speaks of."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from billing.channels.statements import Damaged, Entry
from billing.models import Break, Deduction, StatementFile, StatementLine
from billing.services.out_of_suspense import CAME_BACK, take_out
from billing.services.told_before import untold
from kernel import ids
from kernel.writes import insert_all

#: What we know by then may stand in the channel's next day: clocks differ, and channels close their books early.
NEAR_THE_END = timedelta(hours=2)
ABSENT_AT_ONCE = 2000
_INCOMING = """
CREATE TEMPORARY TABLE incoming (
    place integer, number text, key uuid, txn text, kind text, amount bigint, currency text, status text,
    at timestamptz, damage text, raw text) ON COMMIT DROP
"""
_COPY = """
COPY incoming FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL (number, txn, kind, currency, status, damage, raw))
"""
#: Of ours a line is about what has its number, or else its transaction. A channel may use one transaction's number for
#: all that goes back of it, so lines of refunds are the same only under the same number of ours. OFFSET 0 keeps the
#: lookup on the transaction's index: a file just being read has no statistics, and would else be read whole each time.
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
#: What succeeded here, whose success no file of that channel in that world tells; and whether this one calls it
#: pending still. One that a file says failed has a break already.
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
_CAME = """
UPDATE billing_break b SET resolution = 'came_later', closed_at = %(at)s, closed_by = %(by)s
WHERE b.realm_id = %(realm)s AND b.channel = %(channel)s AND b.closed_at IS NULL AND b.line_id IS NULL
  AND EXISTS (
    SELECT 1 FROM billing_statementline l JOIN (
        SELECT id, channel_txn FROM billing_deduction WHERE id = b.deduction_id
        UNION ALL SELECT id, channel_txn FROM billing_refundpart WHERE id = b.refund_part_id) o
        ON l.channel_txn = o.channel_txn AND l.ours_id = o.id
    WHERE l.channel_txn <> '' AND l.status = 'success' AND l.statement_id = %(statement)s)
"""
#: However much of it came: what parts from ours by its amount is a break of its own, and counts from our amount.
_CAME_BACK = """
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


def keep_lines(statement: StatementFile, rows: Sequence[Entry | Damaged], *, at: datetime) -> None:
    """Keep these lines, each with its verdict, and open a break for each that parts from ours and was not told before.

    The caller holds the file.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        cursor.copy_expert(_COPY, _as_csv(rows))
        cursor.execute("ANALYZE incoming")
        cursor.execute(_COMPARE, _names(statement) | {"breaks": list(StatementLine.BREAKS)})
        parted = [
            dict(zip((column[0] for column in cursor.description), row, strict=True)) for row in cursor.fetchall()
        ]
        cursor.execute("DROP TABLE incoming")
    insert_all([_break_of(statement, row, at=at) for row in untold(statement, parted)])


def miss_absent(statement: StatementFile, *, at: datetime) -> None:
    """Open a break for all that succeeded here on the file's day and stands in no file, this one or an earlier one."""
    span = {"from": statement.covers_from, "until": statement.covers_until, "most": ABSENT_AT_ONCE}
    found: list[Any] = [None]
    while found:
        with connection.cursor() as cursor:
            cursor.execute(_ABSENT, _names(statement) | span)
            found = cursor.fetchall()
        insert_all([_absence_of(statement, row, at=at) for row in found])


def let_come(statement: StatementFile, *, by: str, at: datetime) -> None:
    """Close the breaks of what was missing and stands in this file; what suspense holds for it leaves it again."""
    with connection.cursor() as cursor:
        cursor.execute(_CAME, _names(statement) | {"at": at, "by": by})
        cursor.execute(_CAME_BACK, _names(statement) | {"back": CAME_BACK})
        placed = [key for (key,) in cursor.fetchall()]
    take_out(Break.objects.filter(pk__in=placed), realm_id=statement.realm_id, at=at)


def wait_no_longer(statement: StatementFile, *, by: str, at: datetime) -> None:
    """What was put down to the end of an earlier day and is not in this file either is missing there."""
    late = Break.objects.filter(
        realm_id=statement.realm_id,
        channel=statement.channel,
        kind=Break.Kind.LATE,
        closed_at__isnull=True,
        statement__covers_on__lt=statement.covers_on,
    )
    waiting = list(late.select_for_update(of=("self",), no_key=True).order_by("id"))
    done = {"resolution": Break.Resolution.NEVER_CAME, "closed_by": by, "closed_at": at}
    Break.objects.filter(pk__in=[row.pk for row in waiting]).update(**done)
    for row in waiting:
        row.id, row.kind, row.statement, row.opened_at = ids.uuid7(), Break.Kind.MISSING_THERE, statement, at
    insert_all(waiting)


def _names(statement: StatementFile) -> dict[str, Any]:
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
            writer.writerow([place, number, ids.bare(number), txn, kind, amount, currency, status, at, "", ""])
    file.seek(0)
    return file


def _break_of(statement: StatementFile, row: dict[str, Any], *, at: datetime) -> Break:
    """What the channel says of money that moved under a number of ours is still to be heard by the resolver."""
    ours: UUID | None = row["ours"]
    refund, back = row["kind"] == "refund", row["kind"] == "return"
    if back and row["verdict"] != StatementLine.Verdict.MISSING_HERE:
        ours = None  # a dispute, and no debit
    held = row["state"] == Deduction.State.SUCCEEDED and row["verdict"] != StatementLine.Verdict.DUPLICATE
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
        ours_minor=row["ours_minor"] if held else None,
        ours_currency=row["ours_currency"] if held else "",
        refund=refund or back,
        opened_at=at,
        heard_at=None if ours and row["status"] == "success" else at,
    )


def _absence_of(statement: StatementFile, row: tuple[UUID, bool, int, str, datetime, bool], *, at: datetime) -> Break:
    """What is pending there, or ended near the day's end, may still come in the next day's file."""
    key, refund, minor, currency, resolved_at, pending = row
    near = pending or resolved_at >= statement.covers_until - NEAR_THE_END
    return Break(
        realm_id=statement.realm_id,
        channel=statement.channel,
        kind=Break.Kind.LATE if near else Break.Kind.MISSING_THERE,
        statement=statement,
        deduction_id=None if refund else key,
        refund_part_id=key if refund else None,
        ours_minor=minor,
        ours_currency=currency,
        refund=refund,
        opened_at=at,
        heard_at=at,
    )
