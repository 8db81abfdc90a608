"""The book as it reads: what each account moved on a day, what came in, and one account line by line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.rules import ZONE, Kind, entry

_SIDES = """
SELECT debit_account AS code, debit_owner AS owner, currency, at, amount_minor AS debit, 0 AS credit
FROM ledger_posting WHERE realm_id = %(realm)s AND at < %(until)s
UNION ALL SELECT credit_account, credit_owner, currency, at, 0, amount_minor
FROM ledger_posting WHERE realm_id = %(realm)s AND at < %(until)s
"""
_DAY = f"""
SELECT code, currency, coalesce(sum(debit - credit) FILTER (WHERE at < %(from)s), 0)::bigint,
       coalesce(sum(debit) FILTER (WHERE at >= %(from)s), 0)::bigint,
       coalesce(sum(credit) FILTER (WHERE at >= %(from)s), 0)::bigint
FROM ({_SIDES}) sides GROUP BY code, currency ORDER BY code, currency
"""  # noqa: S608  our own names
_INCOME = """
SELECT (at AT TIME ZONE %(zone)s)::date AS day, code, currency, sum(minor)::bigint FROM (
    SELECT at, credit_account AS code, currency, amount_minor AS minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND credit_account = ANY (%(codes)s)
    UNION ALL SELECT at, debit_account, currency, -amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND debit_account = ANY (%(codes)s)) sides
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
"""
_BEFORE = """
SELECT currency, sum(minor)::bigint FROM (
    SELECT currency, at, amount_minor AS minor FROM ledger_posting WHERE realm_id = %(realm)s
    AND debit_account = %(code)s AND debit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at < %(from)s
    UNION ALL SELECT currency, at, -amount_minor FROM ledger_posting WHERE realm_id = %(realm)s
    AND credit_account = %(code)s AND credit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at < %(from)s) sides
GROUP BY 1 ORDER BY 1
"""
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
    """Every account's day: debits and credits are equal in each currency."""
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
