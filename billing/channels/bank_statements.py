"""The sandbox bank's daily statement: a CSV of everything it moved or declined for the accounts of one realm."""

from datetime import date
from typing import BinaryIO

from billing.channels import bank
from billing.channels.statement_layouts import DEFAULT_LAYOUT

HEADER = b"number,transaction,kind,amount_minor,currency,status,time\r\n"
_LINES = """
COPY (
    SELECT number, txn, CASE WHEN refund_of IS NULL THEN 'debit' ELSE 'refund' END, amount_minor, currency,
           CASE WHEN code = '' THEN 'success' ELSE 'failed' END,
           to_char(settles_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
    FROM sandbox_bank.debit WHERE {day}
    UNION ALL SELECT number, r.txn, 'return', r.amount_minor, currency, 'success',
           to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
    FROM sandbox_bank.returned r JOIN sandbox_bank.debit d ON d.txn = r.of WHERE {back} ORDER BY 7, 1
) TO STDOUT WITH (FORMAT csv)
"""
_TRAILER = """
SELECT count(*) + (SELECT count(*) FROM sandbox_bank.returned r JOIN sandbox_bank.debit d ON d.txn = r.of WHERE {back}),
       coalesce(sum(amount_minor) FILTER (WHERE code = '' AND refund_of IS NULL), 0),
       coalesce(sum(amount_minor) FILTER (WHERE code = '' AND refund_of IS NOT NULL), 0)
FROM sandbox_bank.debit WHERE {day}
"""
#: Movements of the day. Payouts to merchants are not part of the statement.
_DAY = "NOT payout AND settles_at >= %s AND settles_at < %s AND token LIKE %s"

#: Reversals are listed on the day they happened.
_REVERSED = "r.at >= %s AND r.at < %s AND d.token LIKE %s"


def write_statement(file: BinaryIO, *, realm_id: int, day: date) -> None:
    """Write the final movements of this day. A movement still processing appears on the day it becomes final."""
    file.write(HEADER)
    with bank.bank_transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        span = [*DEFAULT_LAYOUT.day_bounds(day), f"{realm_id}:%"]
        day_of, back = (cursor.mogrify(where, span).decode() for where in (_DAY, _REVERSED))
        cursor.copy_expert(_LINES.format(day=day_of, back=back), file)
        cursor.execute(_TRAILER.format(day=day_of, back=back).replace("%", "%%"), [])
        file.write(",".join(["END", *map(str, cursor.fetchone())]).encode() + b"\r\n")
