"""Closes ledger days: a closed day takes no more postings, and is sealed in a hash chain with all days before it.

First the closing time is moved forward, under a lock that waits for postings in progress; a trigger moves later
postings for a closed day to the next open one. Then the day's postings, which can no longer change, are hashed into a
Merkle tree, and its root into the chain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction

from kernel.bulk_writes import insert_all
from kernel.sweeps import process_each, running_realms
from ledger import merkle
from ledger.accounts import LEDGER_TIMEZONE
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing
from ledger.triggers import CLOSING_LOCK_CLASS

#: How long after its end a day is closed. Later postings for it are moved to the next day.
CLOSE_DELAY = timedelta(hours=1)
#: The line of text that is hashed for a posting. Owners and orders are hashed together with the posting's key, so that
#: only those who know them already can recognise them.
POSTING_LINE_SQL = """
concat_ws('|', 'pst_' || replace(p.id::text, '-', ''),
    to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p.kind, p.line,
    p.debit_account, coalesce(encode(sha256(convert_to(p.id::text || p.debit_owner::text, 'UTF8')), 'hex'), '-'),
    p.credit_account, coalesce(encode(sha256(convert_to(p.id::text || p.credit_owner::text, 'UTF8')), 'hex'), '-'),
    p.amount_minor, p.currency,
    coalesce(encode(sha256(convert_to(p.id::text || p.order_id::text, 'UTF8')), 'hex'), '-'))
"""
#: The owner of the part of a day that a posting belongs to: the merchant on either side of it, or NULL (the platform).
PART_OWNER_SQL = """
CASE WHEN p.credit_account IN ('pending', 'payable', 'reserve') THEN p.credit_owner
     WHEN p.debit_account IN ('pending', 'payable', 'reserve') THEN p.debit_owner END
"""
_LEAVES_SQL = f"""
SELECT {PART_OWNER_SQL} AS owner, sha256('\\x00'::bytea || convert_to({POSTING_LINE_SQL}, 'UTF8')) FROM ledger_posting p
WHERE p.realm_id = %(realm)s AND p.at >= %(from)s AND p.at < %(until)s ORDER BY 1 NULLS FIRST, p.id
"""  # noqa: S608  our own names
_OWNER_LINES_SQL = f"""
SELECT p.id, {POSTING_LINE_SQL} FROM ledger_posting p
WHERE p.realm_id = %(realm)s AND p.at >= %(from)s AND p.at < %(until)s AND {PART_OWNER_SQL} = %(owner)s ORDER BY p.id
"""  # noqa: S608  our own names
_BALANCES_SQL = """
SELECT code, currency, sum(minor)::bigint FROM (
    SELECT b.code, b.currency, b.stands_minor AS minor FROM ledger_closedbalance b WHERE b.day_id = %(before)s
    UNION ALL SELECT debit_account, currency, amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s
    UNION ALL SELECT credit_account, currency, -amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s) sides
GROUP BY code, currency ORDER BY code, currency
"""
_SET_CLOSED_UNTIL_SQL = """
INSERT INTO ledger_closing (realm_id, closed_until) VALUES (%s, %s)
ON CONFLICT (realm_id) DO UPDATE SET closed_until = greatest(ledger_closing.closed_until, excluded.closed_until)
"""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Proof that a posting is in its closed day: its line, and the hashes from there to the day's root."""

    line: str
    steps: list[merkle.ProofStep]
    day: ClosedDay


def close_books(*, real: datetime) -> int:
    """Close the days that have ended, in all realms whose clock runs. Returns how many were sealed.

    Raises:
        Exception: the last failure of a realm; the next run tries again.
    """
    sealed: list[int] = []
    realms = running_realms().order_by("id")
    process_each(
        realms, lambda realm: sealed.append(close_days(realm.id, at=realm.now(real))), event="books_not_closed"
    )
    return sum(sealed)


def close_days(realm_id: int, *, at: datetime) -> int:
    """Close the realm's days that have ended, oldest first. Returns how many this call sealed."""
    closable_until = start_of_day(at - CLOSE_DELAY)
    if not _has_open_postings(realm_id, closable_until) and not _next_unsealed_day(realm_id):
        return 0
    try:
        _advance_closed_until(realm_id, closable_until)
    except OperationalError:
        return 0  # a transaction is still posting: the next run tries again
    sealed = 0
    while _seal_next_day(realm_id, at=at):
        sealed += 1
    return sealed


def start_of_day(at: datetime) -> datetime:
    """The start of the ledger day that contains `at`."""
    local = at.astimezone(ZoneInfo(LEDGER_TIMEZONE))
    return datetime.combine(local.date(), time(0), local.tzinfo).astimezone(at.tzinfo)


def is_intact(day: ClosedDay) -> bool:
    """Whether a closed day still matches its seal and follows the day before it in the chain."""
    previous_day = (
        ClosedDay.objects.filter(realm_id=day.realm_id, covers_on__lt=day.covers_on).order_by("-covers_on").first()
    )
    parts = _owner_parts(day.realm_id, day.covers_from, day.covers_until)
    sealed = list(day.parts.order_by("place").values_list("owner", "postings", "top"))
    found = [(owner, count, top.hex()) for owner, count, top in parts]
    recomputed = _day_seal(previous_day, day.covers_on, parts)
    return (
        sealed == found
        and recomputed == (day.postings, day.top, day.digest)
        and day.previous == _digest_of(previous_day)
    )


def inclusion_proofs(
    realm_id: int, owner: UUID, postings: Sequence[tuple[UUID, datetime]]
) -> dict[UUID, InclusionProof]:
    """Inclusion proofs for these postings of a merchant; none for postings on open days."""
    found: dict[UUID, InclusionProof] = {}
    if not postings:
        return found
    first, last = min(at for _, at in postings), max(at for _, at in postings)
    days = ClosedDay.objects.filter(realm_id=realm_id, covers_until__gt=first, covers_from__lte=last)
    for day in days.order_by("covers_on"):
        wanted = {key for key, at in postings if day.covers_from <= at < day.covers_until}
        if wanted:
            found |= _proofs_for_day(day, owner, wanted)
    return found


def _proofs_for_day(day: ClosedDay, owner: UUID, wanted: set[UUID]) -> dict[UUID, InclusionProof]:
    rows = _query(_OWNER_LINES_SQL, day.realm_id, day.covers_from, day.covers_until, owner=owner)
    leaves = [merkle.leaf_hash(line) for _key, line in rows]
    parts = list(day.parts.order_by("place"))
    place = next(part.place for part in parts if part.owner == owner)
    upper_steps = merkle.inclusion_path([bytes.fromhex(part.top) for part in parts], place)
    return {
        key: InclusionProof(line, [*merkle.inclusion_path(leaves, index), *upper_steps], day)
        for index, (key, line) in enumerate(rows)
        if key in wanted
    }


@transaction.atomic
def _advance_closed_until(realm_id: int, until: datetime) -> None:
    """Move the closing time to `until`, after waiting up to 500 ms for postings in progress."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '500ms'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [CLOSING_LOCK_CLASS, realm_id])
        cursor.execute(_SET_CLOSED_UNTIL_SQL, [realm_id, until])


@transaction.atomic
def _seal_next_day(realm_id: int, *, at: datetime) -> bool:
    """Seal the oldest unsealed day that is closed and has postings. Skips if another process is closing this realm."""
    if not Closing.objects.select_for_update(skip_locked=True, no_key=True).filter(realm_id=realm_id).exists():
        return False
    day = _next_unsealed_day(realm_id)
    if day is None:
        return False
    start, end = day_bounds(day)
    previous_day = ClosedDay.objects.filter(realm_id=realm_id).order_by("-covers_on").first()
    parts = _owner_parts(realm_id, start, end)
    count, top, digest = _day_seal(previous_day, day, parts)
    closed = ClosedDay.objects.create(
        realm_id=realm_id,
        covers_on=day,
        covers_from=start,
        covers_until=end,
        postings=count,
        top=top,
        previous=_digest_of(previous_day),
        digest=digest,
        closed_at=at,
    )
    balances = _query(_BALANCES_SQL, realm_id, start, end, before=previous_day.id if previous_day else None)
    insert_all(
        [
            ClosedBalance(day=closed, code=code, currency=currency, stands_minor=minor)
            for code, currency, minor in balances
        ]
    )
    insert_all(
        [
            ClosedPart(day=closed, place=place, owner=owner, postings=number, top=node.hex())
            for place, (owner, number, node) in enumerate(parts)
        ]
    )
    return True


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The start and end of a ledger day."""
    zone = ZoneInfo(LEDGER_TIMEZONE)
    return datetime.combine(day, time(0), zone), datetime.combine(day + timedelta(days=1), time(0), zone)


def _has_open_postings(realm_id: int, until: datetime) -> bool:
    """Whether there are postings before `until` on days that are not closed."""
    closed_until = Closing.objects.filter(realm_id=realm_id).values_list("closed_until", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM ledger_posting WHERE realm_id = %s AND at < %s"
            " AND (%s::timestamptz IS NULL OR at >= %s))",
            [realm_id, until, closed_until, closed_until],
        )
        return bool(cursor.fetchone()[0])


def _next_unsealed_day(realm_id: int) -> date | None:
    """The oldest day that is closed, has postings, and is not sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (min(p.at) AT TIME ZONE %(zone)s)::date FROM ledger_posting p JOIN ledger_closing c"
            " ON c.realm_id = p.realm_id AND p.at < c.closed_until WHERE p.realm_id = %(realm)s AND p.at >= coalesce("
            " (SELECT max(covers_until) FROM ledger_closedday WHERE realm_id = %(realm)s), '-infinity')",
            {"realm": realm_id, "zone": LEDGER_TIMEZONE},
        )
        found: date | None = cursor.fetchone()[0]
    return found


def _day_seal(
    previous_day: ClosedDay | None, day: date, parts: Sequence[tuple[Any, int, bytes]]
) -> tuple[int, str, str]:
    count, top = sum(number for _, number, _ in parts), merkle.root_hash([node for _, _, node in parts]).hex()
    return count, top, merkle.day_hash(_digest_of(previous_day), day.isoformat(), count, top)


def _digest_of(day: ClosedDay | None) -> str:
    return day.digest if day else ""


def _owner_parts(realm_id: int, start: datetime, end: datetime) -> list[tuple[UUID | None, int, bytes]]:
    """The parts of a day: owner, number of postings, and root hash of each."""
    found = []
    for owner, rows in groupby(_query(_LEAVES_SQL, realm_id, start, end), key=lambda row: row[0]):
        leaves = [bytes(node) for _owner, node in rows]
        found.append((owner, len(leaves), merkle.root_hash(leaves)))
    return found


def _query(sql: str, realm_id: int, start: datetime, end: datetime, **params: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")
        cursor.execute(sql, {"realm": realm_id, "from": start, "until": end, **params})
        return list(cursor.fetchall())


def find_tampered_days() -> Iterator[ClosedDay]:
    """Every closed day that no longer matches its seal. Reads and hashes the whole ledger."""
    yield from (day for day in ClosedDay.objects.order_by("realm_id", "covers_on").iterator() if not is_intact(day))
