"""Statement files for tests: copies of a deduction, and the correct file of a channel for them."""

import io
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg2

from billing.channels import bank_statements
from billing.channels.statement_layouts import DEFAULT_LAYOUT, StatementLayout
from billing.models import Break, Deduction, StatementFile
from billing.services.statement_import import import_statement
from kernel.ids import uuid7
from tests.conftest import BY, NOON, Shop

DAY = date(2026, 11, 20)
HEADER = "number,transaction,kind,amount_minor,currency,status,time"
NEXT_DAY = NOON + timedelta(days=1)
#: A line of a transaction unknown to us.
STRAY = {
    "number": "",
    "transaction": "stray",
    "kind": "debit",
    "amount": 700,
    "currency": "CNY",
    "status": "success",
    "time": NOON,
}
_CLONE = """
INSERT INTO billing_deduction (id, version, realm_id, person_id, instrument_id, channel, purpose, reason, currency,
    amount_minor, state, prepared_at, sent_at, resolved_at, channel_txn, failure_code, failure_class, asks)
SELECT v.id, 1, realm_id, person_id, instrument_id, channel, purpose, reason, currency, v.amount, v.state,
    v.at, v.at, CASE WHEN v.state = 'unknown' THEN NULL ELSE v.at END,
    CASE WHEN v.state = 'succeeded' THEN 'tx_' || v.number END, '', '', 0
FROM billing_deduction CROSS JOIN (
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[], %s::text[])
    AS u (id, amount, state, at, number)) v WHERE billing_deduction.id = %s
"""


def clone_deductions(
    superuser: psycopg2.extensions.connection,
    like: Deduction,
    count: int,
    *,
    state: str = "succeeded",
    at: datetime = NOON,
) -> list[dict[str, Any]]:
    """Create `count` copies of this deduction. Returns the statement line of each as the channel would write it."""
    lines = [
        {"number": uuid7().hex, "kind": "debit", "amount": 100 + n, "currency": "CNY", "status": "success", "time": at}
        for n in range(count)
    ]
    for row in lines:
        row["transaction"] = f"tx_{row['number']}"
    with superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        columns = ([row[name] for row in lines] for name in ("number", "amount"))
        keys, amounts = columns
        cursor.execute(_CLONE, [keys, amounts, [state] * count, [at] * count, keys, like.id.hex])
        cursor.execute("SET session_replication_role = origin")
    return lines


def statement_of(lines: Iterable[dict[str, Any]], *more: str) -> io.BytesIO:
    """A statement file of these lines, with the correct trailer."""
    rows = list(lines)
    text = [
        HEADER,
        *(
            f"{r['number']},{r['transaction']},{r['kind']},{r['amount']},{r['currency']},{r['status']},"
            f"{r['time'].isoformat()}"
            for r in rows
        ),
        *more,
    ]
    sums = [
        sum(r["amount"] for r in rows if (r["kind"], r["status"]) == (kind, "success")) for kind in ("debit", "refund")
    ]
    return io.BytesIO("\r\n".join([*text, f"END,{len(rows) + len(more)},{sums[0]},{sums[1]}", ""]).encode())


def bank_statement(shop: Shop, day: date = DAY) -> io.BytesIO:
    """The sandbox bank's statement file of a day."""
    file = io.BytesIO()
    bank_statements.write_statement(file, realm_id=shop.realm_id, day=day)  # type: ignore[arg-type]
    file.seek(0)
    return file


def import_file(
    shop: Shop, file: io.BytesIO, *, day: date = DAY, layout: StatementLayout = DEFAULT_LAYOUT, at: datetime = NEXT_DAY
) -> StatementFile:
    """Import the file for a day."""
    return import_statement("sandbox", file, realm_id=shop.realm_id, day=day, layout=layout, name="x.csv", by=BY, at=at)


def breaks_of(statement: StatementFile) -> set[tuple[str, UUID | None, int | None]]:
    """The breaks of a file: kind, deduction, place."""
    rows = Break.objects.filter(statement=statement).select_related("line")
    return {(row.kind, row.deduction_id, row.line.place if row.line else None) for row in rows}
