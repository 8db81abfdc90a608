"""The audit log: what colleagues viewed and did, as a chain of lines in which each MAC covers the line before.

A line's MAC is an HMAC over its content, its number and the previous MAC, under a key that is not in the database. So
nobody with write access, not even a superuser, can change, swap or remove a line unnoticed. The head (the last line)
has a MAC too, and each MAC is logged: resetting the head to an earlier line leaves out lines that the log has.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet, Subquery
from django.db.models.functions import Coalesce

from kernel import encryption
from kernel.actor import Actor
from kernel.models import AuditHead, AuditLine

log = structlog.get_logger(__name__)
#: The "previous MAC" of the first line.
GENESIS_MAC = bytes(32)
_BATCH_SIZE = 2000


@transaction.atomic
def record(
    act: str,
    *,
    by: Actor,
    at: datetime,
    about: str = "",
    why: str = "",
    place: str = "",
    data: Mapping[str, Any] | None = None,
) -> AuditLine:
    """Append one line. Its number is taken while the head is locked, so numbers have one order and no gaps."""
    AuditHead.objects.bulk_create([AuditHead(pk=1, last=0, mac=_head_mac(0, GENESIS_MAC))], ignore_conflicts=True)
    head = AuditHead.objects.select_for_update(no_key=True).get(pk=1)
    line = AuditLine(
        id=head.last + 1,
        by=str(by),
        act=act[:60],
        about=about[:80],
        why=why,
        place=place[:45],
        data=dict(data or {}),
        at=at,
    )
    previous_mac = AuditLine.objects.values_list("mac", flat=True).filter(pk=head.last).first()
    line.mac = _line_mac(line, bytes(previous_mac or GENESIS_MAC))
    line.save(force_insert=True)
    head.last, head.mac = line.id, _head_mac(line.id, line.mac)
    head.save()
    log.info("audit", line=line.id, seal=line.mac.hex(), act=line.act)
    return line


def find_tampering(*, logged_macs: Mapping[int, str] | None = None) -> Iterator[str]:
    """Verify the chain and yield a description of each violation; `logged_macs` are MACs by line number from a log.

    Checks the lines up to the head as it was at the start: lines appended meanwhile are no violation.
    """
    head = AuditHead.objects.filter(pk=1).first()
    last, previous_mac, logged_macs = 0, GENESIS_MAC, dict(logged_macs or {})
    for line in _iter_lines(head.last if head else 0):
        if line.id != last + 1:
            yield f"line {last + 1} is missing"
        if bytes(line.mac) != _line_mac(line, previous_mac):
            yield f"line {line.id} is not what was written, or not where"
        if logged_macs.pop(line.id, bytes(line.mac).hex()) != bytes(line.mac).hex():
            yield f"line {line.id} is not the one that the log knows"
        last, previous_mac = line.id, bytes(line.mac)
    if head and (head.last, bytes(head.mac)) != (last, _head_mac(last, previous_mac)):
        yield f"it ends at line {last}, and that is not its end"
    yield from (f"line {line} stands behind its end" for line in _lines_after_head())
    yield from (f"line {line} is missing, which the log knows" for line in sorted(logged_macs))


def is_head_valid() -> bool:
    """Whether the head's MAC matches this process's key. If not, the key differs or somebody replaced the head."""
    head = AuditHead.objects.filter(pk=1).first()
    line = AuditLine.objects.values_list("mac", flat=True).filter(pk=head.last).first() if head else None
    return head is None or bytes(head.mac) == _head_mac(head.last, bytes(line or GENESIS_MAC))


def _iter_lines(upto: int) -> Iterator[AuditLine]:
    """The lines up to that number, fetched in batches so that only one batch is in memory."""
    after = None
    while found := list(_next_batch(after, upto)):
        yield from found
        after = found[-1].id


def _next_batch(after: int | None, upto: int) -> "QuerySet[AuditLine]":
    rows = AuditLine.objects.filter(pk__lte=upto).order_by("pk")
    return (rows if after is None else rows.filter(pk__gt=after))[:_BATCH_SIZE]


def _lines_after_head() -> list[int]:
    """Numbers of lines after the current head, which `record` did not write. Head and lines are read in one query."""
    end = Coalesce(Subquery(AuditHead.objects.filter(pk=1).values("last")), 0)
    return list(AuditLine.objects.filter(pk__gt=end).order_by("pk").values_list("pk", flat=True)[:_BATCH_SIZE])


def _line_mac(line: AuditLine, previous_mac: bytes) -> bytes:
    at = line.at.astimezone(UTC).isoformat()
    content = [line.id, previous_mac.hex(), line.by, line.act, line.about, line.why, line.place, line.data, at]
    return encryption.blind_index(json.dumps(content, sort_keys=True, ensure_ascii=True), purpose="kernel.audit")


def _head_mac(last: int, mac: bytes) -> bytes:
    return encryption.blind_index(f"{last} {mac.hex()}", purpose="kernel.audit.end")
