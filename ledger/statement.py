"""The book as it reads: what each account moved on a day, what came in, and one account line by line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.rules import ZONE, Kind, entry

#: Each account's balance when the last closed day before a moment had ended, and since when the postings go on from it.
_CLOSED = """
WITH closed AS (
    SELECT id, covers_until FROM ledger_closedday WHERE realm_id = %(realm)s AND covers_until <= %(from)s
    ORDER BY covers_on DESC LIMIT 1),
since AS (SELECT coalesce((SELECT covers_until FROM closed), '-infinity'::timestamptz) AS at)
"""
_DAY = f"""
{_CLOSED}
SELECT code, currency, coalesce(sum(debit - credit) FILTER (WHERE at < %(from)s), 0)::bigint,
       coalesce(sum(debit) FILTER (WHERE at >= %(from)s), 0)::bigint,
       coalesce(sum(credit) FILTER (WHERE at >= %(from)s), 0)::bigint
FROM (
    SELECT b.code, b.currency, '-infinity'::timestamptz AS at, b.stands_minor AS debit, 0 AS credit
    FROM ledger_closedbalance b JOIN closed ON closed.id = b.day_id
    UNION ALL SELECT debit_account, currency, at, amount_minor, 0 FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= (SELECT at FROM since) AND at < %(until)s
    UNION ALL SELECT credit_account, currency, at, 0, amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= (SELECT at FROM since) AND at < %(until)s) sides
GROUP BY code, currency ORDER BY code, currency
"""  # noqa: S608  our own names
_INCOME = """
SELECT (at AT TIME ZONE %(zone)s)::date AS day, code, currency, sum(minor)::bigint FROM (
    SELECT at, credit_account AS code, currency, amount_minor AS minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND credit_account = ANY (%(codes)s)
    UNION ALL SELECT at, debit_account, currency, -amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND debit_account = ANY (%(codes)s)) sides
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
"""
_BEFORE = f"""
{_CLOSED}
SELECT currency, sum(minor)::bigint FROM (
    SELECT b.currency, b.stands_minor AS minor FROM ledger_closedbalance b JOIN closed ON closed.id = b.day_id
    WHERE b.code = %(code)s AND %(owner)s::uuid IS NULL
    UNION ALL SELECT currency, amount_minor FROM ledger_posting WHERE realm_id = %(realm)s
    AND debit_account = %(code)s AND debit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at < %(from)s
    AND (%(owner)s::uuid IS NOT NULL OR at >= (SELECT at FROM since))
    UNION ALL SELECT currency, -amount_minor FROM ledger_posting WHERE realm_id = %(realm)s
    AND credit_account = %(code)s AND credit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at < %(from)s
    AND (%(owner)s::uuid IS NOT NULL OR at >= (SELECT at FROM since))) sides
GROUP BY 1 ORDER BY 1
"""  # noqa: S608  our own names
_LINES = """
SELECT at, kind, other, order_id, currency, debit, credit FROM (
    SELECT id, at, kind, credit_account AS other, order_id, currency, amount_minor AS debit, 0::bigint AS credit
    FROM ledger_posting WHERE realm_id = %(realm)s AND debit_account = %(code)s
    AND debit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at >= %(from)s AND at < %(until)s
    UNION ALL SELECT id, at, kind, debit_account, order_id, currency, 0, amount_minor
    FROM ledger_posting WHERE realm_id = %(realm)s AND credit_account = %(code)s
    AND credit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at >= %(from)s AND at < %(until)s) sides
ORDER BY at, id LIMIT %(most)s
"""
#: What the house earns and loses.
RESULT = ("fees", "late_fees", "recoveries", "losses")
LINES_MAX = 500


@dataclass(frozen=True, slots=True)
class DayOf:
    """What one account moved on a day, in one currency; before and after on the side where it normally stands."""

    code: str
    currency: str
    before: int
    debits: int
    credits: int
    after: int


@dataclass(frozen=True, slots=True)
class Earned:
    """What came in on a day on one account of the result; a loss is below zero."""

    day: Any
    code: str
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class LineOf:
    """One line of an account, and what stands on it after it."""

    at: datetime
    kind: str
    other: str
    order_id: UUID | None
    currency: str
    debit: int
    credit: int
    after: int


@dataclass(frozen=True, slots=True)
class AccountOf:
    """An account for some days: what stood on it, its lines, and whether there are more of them than are shown."""

    before: dict[str, int]
    lines: list[LineOf]
    more: bool


def normal(code: str) -> int:
    """1 where an account normally stands in debit, else -1."""
    return 1 if entry(code).kind in (Kind.ASSET, Kind.EXPENSE) else -1


def day_balance(realm_id: int, begins: datetime, ends: datetime) -> list[DayOf]:
    """Every account's day, from the closed day before it: debits and credits are equal in each currency."""
    rows = _ask(_DAY, realm=realm_id, **{"from": begins, "until": ends})
    return [
        DayOf(code, currency, before * normal(code), debits, credits_, (before + debits - credits_) * normal(code))
        for code, currency, before, debits, credits_ in rows
    ]


def income(realm_id: int, begins: datetime, ends: datetime) -> list[Earned]:
    """What came in by day, the newest first."""
    span = {"from": begins, "until": ends}
    rows = _ask(_INCOME, realm=realm_id, zone=ZONE, codes=list(RESULT), **span)
    return [Earned(*row) for row in rows]


def account(realm_id: int, code: str, owner: UUID | None, begins: datetime, ends: datetime) -> AccountOf:
    """One account line by line: the sub-ledger of a merchant or person where it has an owner.

    Raises:
        KeyError: the chart has no such account.
    """
    sign, names = normal(code), {"realm": realm_id, "code": code, "owner": str(owner) if owner else None}
    before = {currency: minor * sign for currency, minor in _ask(_BEFORE, **names, **{"from": begins})}
    stands, lines = dict(before), []
    span = {"from": begins, "until": ends, "most": LINES_MAX + 1}
    rows = _ask(_LINES, **names, **span)
    for at, kind, other, order_id, currency, debit, credit in rows[:LINES_MAX]:
        stands[currency] = stands.get(currency, 0) + (debit - credit) * sign
        lines.append(LineOf(at, kind, other, order_id, currency, debit, credit, stands[currency]))
    return AccountOf(before, lines, len(rows) > LINES_MAX)


def _ask(question: str, **names: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, names)
        return list(cursor.fetchall())
