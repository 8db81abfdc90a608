"""Repeated discrepancies: a second file of a day, or a complete one after a damaged one, must not open breaks twice."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection

from billing.models import StatementFile, StatementLine

#: Breaks of these transactions from other files of the same day and from damaged files; and the mismatched lines of
#: this file that were stored before the current batch.
_KNOWN = """
WITH same AS (
    SELECT l.*, l.verdict = 'duplicate' AS again FROM billing_statementline l
    WHERE l.channel_txn = ANY (%(txns)s) AND l.channel_txn <> '')
SELECT true, l.kind, l.channel_txn, l.number, l.amount_minor, l.currency, l.status, l.again,
       CASE WHEN l.kind <> 'return' THEN coalesce(b.deduction_id, b.refund_part_id) END
FROM same l JOIN billing_break b ON b.line_id = l.id JOIN billing_statementfile s ON s.id = l.statement_id
WHERE s.realm_id = %(realm)s AND s.channel = %(channel)s AND s.id <> %(statement)s
  AND (s.covers_on = %(day)s OR s.trouble <> '')
UNION ALL
SELECT false, l.kind, l.channel_txn, l.number, l.amount_minor, l.currency, l.status, l.again,
       CASE WHEN l.kind <> 'return' THEN l.ours_id END
FROM same l WHERE l.statement_id = %(statement)s AND l.verdict = ANY (%(breaks)s) AND l.id <> ALL (%(these)s)
"""


def new_discrepancies(statement: StatementFile, mismatches: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of these mismatched lines whose discrepancy is not recorded yet.

    Two equal lines are two discrepancies: only as many are known as were recorded before.
    """
    txns = {row["txn"] for row in mismatches} - {""}
    if not txns:
        return list(mismatches)
    params: dict[str, Any] = {
        "txns": list(txns),
        "realm": statement.realm_id,
        "channel": statement.channel,
        "statement": statement.id,
        "day": statement.covers_on,
        "breaks": list(StatementLine.BREAKS),
        "these": [row["id"] for row in mismatches],
    }
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, params)
        rows = cursor.fetchall()
    known = Counter(tuple(words) for elsewhere, *words in rows if elsewhere)
    known -= Counter(tuple(words) for elsewhere, *words in rows if not elsewhere)
    return [row for row in mismatches if not _take_known(known, row)]


def _take_known(known: Counter[tuple[Any, ...]], row: dict[str, Any]) -> bool:
    ours = None if row["kind"] == "return" else row["ours"]
    again = row["verdict"] == StatementLine.Verdict.DUPLICATE
    key = (row["kind"], row["txn"], row["number"], row["amount"], row["currency"], row["status"], again, ours)
    if not known[key]:
        return False
    known[key] -= 1
    return True
