"""How long a statement of many lines takes to be read, compared and kept, and how much memory its reader needs.

Run by pytest, for its servers: `make bench-statements`. STATEMENT_LINES says how many (a million); one in ten
thousand is wrong. All else is as in production: the role, its limits, the constraints and the guards.
"""

import os
import re
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import IO

import pytest

from benchmarks.book import Book
from benchmarks.weather import sized
from billing.channels.layouts import PLAIN
from billing.models import Break
from billing.services.deduct import deduct_due
from billing.services.reconcile import import_statement
from tests.conftest import BY, NOON, completed, make_shop, someone, yuan
from tests.services import services as servers

A_MILLION = 1_000_000
LINES = int(os.environ.get("STATEMENT_LINES") or sized(A_MILLION, 20_000))
WRONG = 10_000
HEAD = b"number,transaction,kind,amount_minor,currency,status,time\r\n"
_MANY = """
INSERT INTO billing_deduction (id, version, realm_id, person_id, instrument_id, channel, purpose, reason, currency,
    amount_minor, state, prepared_at, sent_at, resolved_at, channel_txn, failure_code, failure_class, asks)
SELECT ('019a' || lpad(to_hex(realm_id), 4, '0') || lpad(to_hex(n), 24, '0'))::uuid, 1, realm_id, person_id,
    instrument_id, channel, purpose, reason, currency, 100 + n, 'succeeded', prepared_at, sent_at, resolved_at,
    'tx_' || realm_id || '_' || n, '', '', 0
FROM billing_deduction, generate_series(1, %s) n WHERE realm_id = %s
"""
_FILE = """
COPY (SELECT replace(id::text, '-', ''), channel_txn, 'debit',
             amount_minor + (CASE WHEN amount_minor %% {wrong} = 0 THEN 1 ELSE 0 END), currency, 'success',
             to_char(resolved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
      FROM billing_deduction WHERE realm_id = {realm} ORDER BY id) TO STDOUT WITH (FORMAT csv)
"""
_SUMS = """
SELECT count(*) FILTER (WHERE amount_minor %% %(wrong)s = 0),
       sum(amount_minor + (amount_minor %% %(wrong)s = 0)::int)::bigint
FROM billing_deduction WHERE realm_id = %(realm)s
"""


def peak() -> int:
    """The most memory this process had since it was last asked to forget, in MB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) // 1024 if found else 0


def written(file: IO[bytes], realm_id: int, lines: int) -> int:
    """So many debits of the realm, copied of its one, and their channel's statement. Returns how many it has wrong."""
    with servers.superuser() as superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(_MANY, [lines - 1, realm_id])
        cursor.execute("ANALYZE billing_deduction")
        file.write(HEAD)
        cursor.copy_expert(_FILE.format(wrong=WRONG, realm=realm_id).replace("%%", "%"), file)
        cursor.execute(_SUMS, {"wrong": WRONG, "realm": realm_id})
        [(wrong, total)] = cursor.fetchall()
    file.write(f"END,{lines},{total},0\r\n".encode())
    return int(wrong)


@pytest.mark.django_db(transaction=True)
def test_a_large_statement(book: Book) -> None:
    shop = make_shop("来电充电宝")
    completed(shop, someone(shop), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    with tempfile.TemporaryFile() as file:
        wrong = written(file, shop.realm_id, LINES)
        size = file.tell() // 1_000_000
        file.seek(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, begun = peak(), time.perf_counter()
        done = import_statement(
            "sandbox", file, realm_id=shop.realm_id, day=date(2026, 11, 20), layout=PLAIN, name="x", by=BY, at=NOON
        )
        took = time.perf_counter() - begun
    sys.stdout.write(
        f"\n{done.lines:,} lines, {size} MB: {took:.1f} s, {done.lines / took:,.0f} lines a second;"
        f" memory {before} MB before, {peak()} MB at most; {Break.objects.count()} differences found\n"
    )
    if LINES == A_MILLION:
        book.write("8 statement import of 10^6 lines", [took])
        book.write("10 memory, statement import of 10^6 lines", [float(peak())])
    if (done.lines, done.trouble, Break.objects.count()) != (LINES, "", wrong):
        raise AssertionError(f"{done.lines} lines, {wrong} of them planted: {done.trouble}")
