"""The audit log: lines in one order without gaps, and any tampering is found, even by a superuser.

`make evidence-audit` writes a hundred thousand lines and does two hundred things to them.
"""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from kernel import audit
from kernel.actor import Actor
from kernel.models import AuditHead, AuditLine
from tests.conftest import NOON
from tests.db_errors import NO_RIGHT, execute_sql, raises_db_error
from tests.services import services

LIN = Actor("staff", "usr_lin")
CLIENTS, LINES = 8, int(os.environ.get("AUDIT_LINES", "160"))
TAMPERINGS = int(os.environ.get("AUDIT_TAMPERINGS", "42"))


def write_lines(lines: int = 12) -> None:
    for n in range(lines):
        audit.record(
            f"act{n % 3}",
            about=f"ord_{n}",
            why='客户来电："重新" 扣款',
            place="203.0.113.9",
            by=LIN,
            at=NOON + timedelta(seconds=n, microseconds=n),
            data={"b": n, "a": ["x", None, True], "é": {"z": 1, "y": "<script>"}},
        )


def test_lines_are_numbered_and_complete(db: None) -> None:
    write_lines()
    assert list(AuditLine.objects.order_by("id").values_list("id", flat=True)) == list(range(1, 13))
    assert list(audit.find_tampering()) == []


def test_the_application_may_add_lines_and_nothing_else(db: None) -> None:
    write_lines(1)
    with raises_db_error(NO_RIGHT):
        execute_sql("UPDATE kernel_auditline SET why = 'other'")
    with raises_db_error(NO_RIGHT):
        execute_sql("DELETE FROM kernel_auditline")


EDITS = [
    "UPDATE kernel_auditline SET why = why || '.' WHERE id = {a}",
    "UPDATE kernel_auditline SET by = 'staff:usr_mei' WHERE id = {a}",
    "UPDATE kernel_auditline SET at = at + interval '1 microsecond' WHERE id = {a}",
    "UPDATE kernel_auditline SET data = data || '{{\"b\": 99}}' WHERE id = {a}",
    "UPDATE kernel_auditline SET mac = sha256(mac) WHERE id = {a}",
    "DELETE FROM kernel_auditline WHERE id = {a}",
    "DELETE FROM kernel_auditline WHERE id >= {a}",
    (
        "DELETE FROM kernel_auditline WHERE id >= {a}; UPDATE kernel_audithead SET last = {a} - 1,"
        " mac = coalesce((SELECT mac FROM kernel_auditline WHERE id = {a} - 1), mac)"
    ),
    "DELETE FROM kernel_auditline WHERE id = {last}; UPDATE kernel_audithead SET last = {last} - 1",
    (
        "UPDATE kernel_auditline SET id = -id WHERE id IN ({a}, {b}); UPDATE kernel_auditline"
        " SET id = {a} + {b} + id WHERE id < 0"
    ),
    "UPDATE kernel_auditline x SET why = y.why || 'x' FROM kernel_auditline y WHERE x.id = {a} AND y.id = {b}",
    "DELETE FROM kernel_audithead",
    (
        "DELETE FROM kernel_auditline WHERE id = {a}; UPDATE kernel_auditline SET id = -id WHERE id > {a};"
        " UPDATE kernel_auditline SET id = -id - 1 WHERE id < 0;"
        " UPDATE kernel_audithead SET last = last - 1"
    ),
    (
        "INSERT INTO kernel_auditline (id, by, act, about, why, place, data, at, mac)"
        " SELECT {last} + 1, by, act, about, why, place, data, at, mac FROM kernel_auditline WHERE id = {a}"
    ),
]


#: What a superuser did is taken back: whatever differs from what was kept is put as it was.
KEEP = """
SET session_replication_role = replica;
CREATE TEMP TABLE kept AS TABLE kernel_auditline; CREATE TEMP TABLE kept_head AS TABLE kernel_audithead;
CREATE UNIQUE INDEX ON kept (id); ANALYZE kept;
ALTER TABLE kernel_auditline DROP CONSTRAINT audit_lines_count_from_one
"""
MEND = """
DELETE FROM kernel_auditline t WHERE NOT EXISTS (SELECT FROM kept k WHERE k.id = t.id AND k.* IS NOT DISTINCT FROM t.*);
INSERT INTO kernel_auditline SELECT k.* FROM kept k WHERE NOT EXISTS (SELECT FROM kernel_auditline t WHERE t.id = k.id);
DELETE FROM kernel_audithead; INSERT INTO kernel_audithead TABLE kept_head
"""


def test_concurrent_lines_form_one_chain_and_tampering_is_found(transactional_db: None) -> None:
    def client(_number: int) -> None:
        write_lines(LINES // CLIENTS)
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    assert AuditLine.objects.count() == LINES
    assert list(audit.find_tampering()) == []
    chance, missed = random.Random(7), []  # noqa: S311  a test's own dice
    with services.superuser() as above, above.cursor() as cursor:
        cursor.execute(KEEP)
        for number in range(TAMPERINGS):
            a, b = chance.sample(range(1, LINES), 2)
            sql = EDITS[number % len(EDITS)].format(a=a, b=b, last=LINES)
            cursor.execute(sql)
            missed += [] if next(audit.find_tampering(), None) else [sql]
            cursor.execute(MEND)
        cursor.execute("ALTER TABLE kernel_auditline ADD CONSTRAINT audit_lines_count_from_one CHECK (id > 0)")
    assert missed == []
    assert list(audit.find_tampering()) == []


def test_a_head_that_was_reset_is_found_by_a_logged_mac(transactional_db: None) -> None:
    write_lines(5)
    head: dict[str, Any] = AuditHead.objects.values().get()
    known = {7: ""}
    write_lines(2)
    known[7] = bytes(AuditLine.objects.get(pk=7).mac).hex()
    assert list(audit.find_tampering(logged_macs=known)) == []
    with services.superuser() as above, above.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; DELETE FROM kernel_auditline WHERE id > 5")
        cursor.execute("UPDATE kernel_audithead SET last = 5, mac = %s", [bytes(head["mac"])])
    assert list(audit.find_tampering()) == []
    assert list(audit.find_tampering(logged_macs=known)) == ["line 7 is missing, which the log knows"]


def test_lines_written_during_verification_are_no_violation(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lines()
    monkeypatch.setattr(audit, "_BATCH_SIZE", 5)  # in three questions
    seal, done = audit._line_mac, list[int]()  # noqa: SLF001

    def looked_at(line: AuditLine, before: bytes) -> bytes:
        if not done:
            done.append(1)
            audit.record("look", by=LIN, at=NOON)
        return seal(line, before)

    monkeypatch.setattr(audit, "_line_mac", looked_at)
    assert list(audit.find_tampering()) == []
    assert AuditLine.objects.count() == 13


def test_lines_are_read_in_batches(db: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    write_lines()
    monkeypatch.setattr(audit, "_BATCH_SIZE", 5)
    with django_assert_num_queries(6):  # where it ends, three times lines and once none, and what stands behind the end
        assert list(audit.find_tampering()) == []
