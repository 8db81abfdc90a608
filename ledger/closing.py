"""Days of the book are closed: they take no postings any more, and each is sealed with what all the days before say.

First a day is shut, under a lock that waits for whoever is just booking on it; PostgreSQL puts on the next open day
whatever comes for it after that. Then its postings, which nothing changes any more, are hashed into a tree and the tree
into a chain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection, transaction

from kernel.sweeps import each, running_realms
from kernel.writes import insert_all
from ledger import trees
from ledger.guard import SHUTTING
from ledger.models import ClosedBalance, ClosedDay, ClosedPart, Closing
from ledger.rules import ZONE

#: A day is closed so long after its end; whoever books on it later finds it shut, and books on the next one.
AFTER = timedelta(hours=1)
#: What of a posting is hashed, in one line. Owners and orders are blinded by the posting's own key, so that a line
#: says who it is about to those alone who know it already.
LINE = """
concat_ws('|', 'pst_' || replace(p.id::text, '-', ''),
    to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p.kind, p.line,
    p.debit_account, coalesce(encode(sha256(convert_to(p.id::text || p.debit_owner::text, 'UTF8')), 'hex'), '-'),
    p.credit_account, coalesce(encode(sha256(convert_to(p.id::text || p.credit_owner::text, 'UTF8')), 'hex'), '-'),
    p.amount_minor, p.currency,
    coalesce(encode(sha256(convert_to(p.id::text || p.order_id::text, 'UTF8')), 'hex'), '-'))
"""
#: Whose part of a day a posting is in: the merchant's on either side of it, or the house's.
PART = """
CASE WHEN p.credit_account IN ('pending', 'payable', 'reserve') THEN p.credit_owner
     WHEN p.debit_account IN ('pending', 'payable', 'reserve') THEN p.debit_owner END
"""
_LEAVES = f"""
SELECT {PART} AS owner, sha256('\\x00'::bytea || convert_to({LINE}, 'UTF8')) FROM ledger_posting p
WHERE p.realm_id = %(realm)s AND p.at >= %(from)s AND p.at < %(until)s ORDER BY 1 NULLS FIRST, p.id
"""  # noqa: S608  our own names
_OF_OWNER = f"""
SELECT p.id, {LINE} FROM ledger_posting p
WHERE p.realm_id = %(realm)s AND p.at >= %(from)s AND p.at < %(until)s AND {PART} = %(owner)s ORDER BY p.id
"""  # noqa: S608  our own names
_BALANCES = """
SELECT code, currency, sum(minor)::bigint FROM (
    SELECT b.code, b.currency, b.stands_minor AS minor FROM ledger_closedbalance b WHERE b.day_id = %(before)s
    UNION ALL SELECT debit_account, currency, amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s
    UNION ALL SELECT credit_account, currency, -amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s) sides
GROUP BY code, currency ORDER BY code, currency
"""
_SHUT = """
INSERT INTO ledger_closing (realm_id, closed_until) VALUES (%s, %s)
ON CONFLICT (realm_id) DO UPDATE SET closed_until = greatest(ledger_closing.closed_until, excluded.closed_until)
"""


@dataclass(frozen=True, slots=True)
class Included:
    """Where a posting stands in its closed day: its line, and the way from there to the day's top."""

    line: str
    steps: list[trees.Step]
    day: ClosedDay


def close_books(*, real: datetime) -> int:
    """Close the days that are over wherever time passes by itself. Returns how many were sealed.

    Raises:
        Exception: that of the last realm whose days could not be closed; the next ring tries again.
    """
    sealed: list[int] = []
    realms = running_realms().order_by("id")
    each(realms, lambda realm: sealed.append(close_days(realm.id, at=realm.now(real))), told="books_not_closed")
    return sum(sealed)


def close_days(realm_id: int, *, at: datetime) -> int:
    """Close the realm's days that are over, oldest first. Returns how many were sealed, not what others did."""
    until = midnight(at - AFTER)
    if not _unshut(realm_id, until) and not _next_day(realm_id):
        return 0
    try:
        _shut(realm_id, until)
    except OperationalError:
        return 0  # somebody books for long: the next ring tries again
    sealed = 0
    while _seal_next(realm_id, at=at):
        sealed += 1
    return sealed


def midnight(at: datetime) -> datetime:
    """The last beginning of a day of the book's."""
    local = at.astimezone(ZoneInfo(ZONE))
    return datetime.combine(local.date(), time(0), local.tzinfo).astimezone(at.tzinfo)


def is_whole(day: ClosedDay) -> bool:
    """Whether a closed day's postings are still those that were sealed, and whether it still follows the one before."""
    earlier = (
        ClosedDay.objects.filter(realm_id=day.realm_id, covers_on__lt=day.covers_on).order_by("-covers_on").first()
    )
    parts = _parts(day.realm_id, day.covers_from, day.covers_until)
    sealed = list(day.parts.order_by("place").values_list("owner", "postings", "top"))
    found = [(owner, count, top.hex()) for owner, count, top in parts]
    again = _sealed(earlier, day.covers_on, parts)
    return sealed == found and again == (day.postings, day.top, day.digest) and day.previous == _digest(earlier)


def included(realm_id: int, owner: UUID, postings: Sequence[tuple[UUID, datetime]]) -> dict[UUID, Included]:
    """Where these postings of a merchant's stand in closed days; not those whose day is open."""
    found: dict[UUID, Included] = {}
    if not postings:
        return found
    first, last = min(at for _, at in postings), max(at for _, at in postings)
    days = ClosedDay.objects.filter(realm_id=realm_id, covers_until__gt=first, covers_from__lte=last)
    for day in days.order_by("covers_on"):
        wanted = {key for key, at in postings if day.covers_from <= at < day.covers_until}
        if wanted:
            found |= _ways(day, owner, wanted)
    return found


def _ways(day: ClosedDay, owner: UUID, wanted: set[UUID]) -> dict[UUID, Included]:
    rows = _ask(_OF_OWNER, day.realm_id, day.covers_from, day.covers_until, owner=owner)
    leaves = [trees.leaf(line) for _key, line in rows]
    parts = list(day.parts.order_by("place"))
    place = next(part.place for part in parts if part.owner == owner)
    above = trees.way([bytes.fromhex(part.top) for part in parts], place)
    return {
        key: Included(line, [*trees.way(leaves, index), *above], day)
        for index, (key, line) in enumerate(rows)
        if key in wanted
    }


@transaction.atomic
def _shut(realm_id: int, until: datetime) -> None:
    """From now on nothing is booked before `until`; whoever just does is waited for, and not for long."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '500ms'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s::int)", [SHUTTING, realm_id])
        cursor.execute(_SHUT, [realm_id, until])


@transaction.atomic
def _seal_next(realm_id: int, *, at: datetime) -> bool:
    """Seal the oldest shut day on which anything was booked, if there is one and nobody else is at it."""
    if not Closing.objects.select_for_update(skip_locked=True, no_key=True).filter(realm_id=realm_id).exists():
        return False
    day = _next_day(realm_id)
    if day is None:
        return False
    begins, ends = span(day)
    earlier = ClosedDay.objects.filter(realm_id=realm_id).order_by("-covers_on").first()
    parts = _parts(realm_id, begins, ends)
    count, top, digest = _sealed(earlier, day, parts)
    closed = ClosedDay.objects.create(
        realm_id=realm_id,
        covers_on=day,
        covers_from=begins,
        covers_until=ends,
        postings=count,
        top=top,
        previous=_digest(earlier),
        digest=digest,
        closed_at=at,
    )
    stands = _ask(_BALANCES, realm_id, begins, ends, before=earlier.id if earlier else None)
    insert_all(
        [
            ClosedBalance(day=closed, code=code, currency=currency, stands_minor=minor)
            for code, currency, minor in stands
        ]
    )
    insert_all(
        [
            ClosedPart(day=closed, place=place, owner=owner, postings=number, top=node.hex())
            for place, (owner, number, node) in enumerate(parts)
        ]
    )
    return True


def span(day: date) -> tuple[datetime, datetime]:
    """The moments a day of the book's begins and ends at."""
    zone = ZoneInfo(ZONE)
    return datetime.combine(day, time(0), zone), datetime.combine(day + timedelta(days=1), time(0), zone)


def _unshut(realm_id: int, until: datetime) -> bool:
    """Whether anything was booked before `until` on a day that is not shut."""
    shut = Closing.objects.filter(realm_id=realm_id).values_list("closed_until", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM ledger_posting WHERE realm_id = %s AND at < %s"
            " AND (%s::timestamptz IS NULL OR at >= %s))",
            [realm_id, until, shut, shut],
        )
        return bool(cursor.fetchone()[0])


def _next_day(realm_id: int) -> date | None:
    """The oldest day that is shut, has postings, and is not sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (min(p.at) AT TIME ZONE %(zone)s)::date FROM ledger_posting p JOIN ledger_closing c"
            " ON c.realm_id = p.realm_id AND p.at < c.closed_until WHERE p.realm_id = %(realm)s AND p.at >= coalesce("
            " (SELECT max(covers_until) FROM ledger_closedday WHERE realm_id = %(realm)s), '-infinity')",
            {"realm": realm_id, "zone": ZONE},
        )
        found: date | None = cursor.fetchone()[0]
    return found


def _sealed(earlier: ClosedDay | None, day: date, parts: Sequence[tuple[Any, int, bytes]]) -> tuple[int, str, str]:
    count, top = sum(number for _, number, _ in parts), trees.root([node for _, _, node in parts]).hex()
    return count, top, trees.day_hash(_digest(earlier), day.isoformat(), count, top)


def _digest(earlier: ClosedDay | None) -> str:
    return earlier.digest if earlier else ""


def _parts(realm_id: int, begins: datetime, ends: datetime) -> list[tuple[UUID | None, int, bytes]]:
    """Each part of a day: whose it is, how many postings it has, and their top."""
    found = []
    for owner, rows in groupby(_ask(_LEAVES, realm_id, begins, ends), key=lambda row: row[0]):
        leaves = [bytes(node) for _owner, node in rows]
        found.append((owner, len(leaves), trees.root(leaves)))
    return found


def _ask(question: str, realm_id: int, begins: datetime, ends: datetime, **more: Any) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")
        cursor.execute(question, {"realm": realm_id, "from": begins, "until": ends, **more})
        return list(cursor.fetchall())


def broken_days() -> Iterator[ClosedDay]:
    """Every closed day that is not what was sealed: the whole book, read and hashed again."""
    yield from (day for day in ClosedDay.objects.order_by("realm_id", "covers_on").iterator() if not is_whole(day))
