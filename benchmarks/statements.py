"""The time and memory to import and reconcile a statement of many lines.

Run by pytest, for its servers: `make bench-statements`. STATEMENT_LINES sets the number of lines (a million); one in
ten thousand is wrong. All else is as in production: the role, its timeouts, the constraints and the triggers.
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

from benchmarks.measurement import scaled
from benchmarks.report import BenchmarkReport
from billing.channels.statement_layouts import DEFAULT_LAYOUT
from billing.models import Break
from billing.services.deduct import deduct_due
from billing.services.statement_import import import_statement
from tests.conftest import BY, NOON, make_due_order, make_person, make_shop, yuan
from tests.services import services as servers

A_MILLION = 1_000_000
LINES = int(os.environ.get("STATEMENT_LINES") or scaled(A_MILLION, 20_000))
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


def peak_memory_mb() -> int:
    """The peak memory of this process since it was last reset, in MB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) // 1024 if found else 0


def write_statement(file: IO[bytes], realm_id: int, lines: int) -> int:
    """Insert copies of the realm's deduction, and write the channel's statement. Returns the number of wrong lines."""
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
def test_a_large_statement(report: BenchmarkReport) -> None:
    shop = make_shop("来电充电宝")
    make_due_order(shop, make_person(shop), yuan("6"))
    deduct_due(shop.realm_id, at=NOON)
    with tempfile.TemporaryFile() as file:
        wrong = write_statement(file, shop.realm_id, LINES)
        size = file.tell() // 1_000_000
        file.seek(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before, started = peak_memory_mb(), time.perf_counter()
        done = import_statement(
            "sandbox",
            file,
            realm_id=shop.realm_id,
            day=date(2026, 11, 20),
            layout=DEFAULT_LAYOUT,
            name="x",
            by=BY,
            at=NOON,
        )
        seconds = time.perf_counter() - started
    sys.stdout.write(
        f"\n{done.lines:,} lines, {size} MB: {seconds:.1f} s, {done.lines / seconds:,.0f} lines a second;"
        f" memory {before} MB before, {peak_memory_mb()} MB at most; {Break.objects.count()} differences found\n"
    )
    if LINES == A_MILLION:
        report.write("8 statement import of 10^6 lines", [seconds])
        report.write("10 memory, statement import of 10^6 lines", [float(peak_memory_mb())])
    if (done.lines, done.trouble, Break.objects.count()) != (LINES, "", wrong):
        raise AssertionError(f"{done.lines} lines, {wrong} of them planted: {done.trouble}")
