"""What colleagues looked at and did, line by line, each sealed onto the one before.

A line's seal is an HMAC over all it says, its number and the seal before it, under a key that the database does not
have. So whoever may write there, a superuser too, can neither change, swap nor take out a line unnoticed. The end is
sealed as well, and told to the log: an end put back to an earlier one misses lines that the log knows.
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
#: What the first line is sealed onto.
BEGIN = bytes(32)
_BATCH = 2000


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
    """Write one line at the end. Its number is taken while the end is held, so numbers have no gaps and one order."""
    AuditHead.objects.bulk_create([AuditHead(pk=1, last=0, mac=_end(0, BEGIN))], ignore_conflicts=True)
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
    before = AuditLine.objects.values_list("mac", flat=True).filter(pk=head.last).first()
    line.mac = _seal(line, bytes(before or BEGIN))
    line.save(force_insert=True)
    head.last, head.mac = line.id, _end(line.id, line.mac)
    head.save()
    log.info("audit", line=line.id, seal=line.mac.hex(), act=line.act)
    return line


def broken(*, known: Mapping[int, str] | None = None) -> Iterator[str]:
    """Every place at which the audit is not what was written; `known` are seals of lines that a log remembers.

    It is judged up to where its end was when this began: whoever writes meanwhile breaks nothing.
    """
    head = AuditHead.objects.filter(pk=1).first()
    last, before, known = 0, BEGIN, dict(known or {})
    for line in _lines(head.last if head else 0):
        if line.id != last + 1:
            yield f"line {last + 1} is missing"
        if bytes(line.mac) != _seal(line, before):
            yield f"line {line.id} is not what was written, or not where"
        if known.pop(line.id, bytes(line.mac).hex()) != bytes(line.mac).hex():
            yield f"line {line.id} is not the one that the log knows"
        last, before = line.id, bytes(line.mac)
    if head and (head.last, bytes(head.mac)) != (last, _end(last, before)):
        yield f"it ends at line {last}, and that is not its end"
    yield from (f"line {line} stands behind its end" for line in _behind_the_end())
    yield from (f"line {line} is missing, which the log knows" for line in sorted(known))


def ends_as_sealed() -> bool:
    """Whether the end is sealed by the key of this process: if not, it is another key, or somebody put an end there."""
    head = AuditHead.objects.filter(pk=1).first()
    line = AuditLine.objects.values_list("mac", flat=True).filter(pk=head.last).first() if head else None
    return head is None or bytes(head.mac) == _end(head.last, bytes(line or BEGIN))


def _lines(upto: int) -> Iterator[AuditLine]:
    """The lines as far as that one, some thousands in each question, and no more than those in hand."""
    after = None
    while found := list(_next(after, upto)):
        yield from found
        after = found[-1].id


def _next(after: int | None, upto: int) -> "QuerySet[AuditLine]":
    rows = AuditLine.objects.filter(pk__lte=upto).order_by("pk")
    return (rows if after is None else rows.filter(pk__gt=after))[:_BATCH]


def _behind_the_end() -> list[int]:
    """Lines behind the end as it is in the same moment: nobody wrote those in order."""
    end = Coalesce(Subquery(AuditHead.objects.filter(pk=1).values("last")), 0)
    return list(AuditLine.objects.filter(pk__gt=end).order_by("pk").values_list("pk", flat=True)[:_BATCH])


def _seal(line: AuditLine, before: bytes) -> bytes:
    at = line.at.astimezone(UTC).isoformat()
    said = [line.id, before.hex(), line.by, line.act, line.about, line.why, line.place, line.data, at]
    return encryption.blind(json.dumps(said, sort_keys=True, ensure_ascii=True), purpose="kernel.audit")


def _end(last: int, mac: bytes) -> bytes:
    return encryption.blind(f"{last} {mac.hex()}", purpose="kernel.audit.end")
