"""A file of a day that was told already, or that comes whole after one that was not: what it says again is known."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db import connection

from billing.models import StatementFile, StatementLine

#: The differences that files of the same day, and files that are not whole, have of these transactions; and what lines
#: of this file said of them before the ones that are just kept.
_TOLD = """
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


def untold(statement: StatementFile, parted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of these lines, which part from ours, whose difference is not on record yet.

    Of two lines that say the same the second is another difference: as many are known as were told before.
    """
    txns = {row["txn"] for row in parted} - {""}
    if not txns:
        return list(parted)
    asked: dict[str, Any] = {
        "txns": list(txns),
        "realm": statement.realm_id,
        "channel": statement.channel,
        "statement": statement.id,
        "day": statement.covers_on,
        "breaks": list(StatementLine.BREAKS),
        "these": [row["id"] for row in parted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, asked)
        told = cursor.fetchall()
    known = Counter(tuple(words) for elsewhere, *words in told if elsewhere)
    known -= Counter(tuple(words) for elsewhere, *words in told if not elsewhere)
    return [row for row in parted if not _is_known(known, row)]


def _is_known(known: Counter[tuple[Any, ...]], row: dict[str, Any]) -> bool:
    ours = None if row["kind"] == "return" else row["ours"]
    again = row["verdict"] == StatementLine.Verdict.DUPLICATE
    words = (row["kind"], row["txn"], row["number"], row["amount"], row["currency"], row["status"], again, ours)
    if not known[words]:
        return False
    known[words] -= 1
    return True
