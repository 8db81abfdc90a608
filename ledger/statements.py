"""Ledger statements: a day's trial balance, income by day, and one account line by line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.accounts import LEDGER_TIMEZONE, AccountKind, chart_entry

#: The last closed day before a time, whose balances are the starting point, and from when postings are added to them.
_LAST_CLOSED_DAY_CTE = """
WITH closed AS (
    SELECT id, covers_until FROM ledger_closedday WHERE realm_id = %(realm)s AND covers_until <= %(from)s
    ORDER BY covers_on DESC LIMIT 1),
since AS (SELECT coalesce((SELECT covers_until FROM closed), '-infinity'::timestamptz) AS at)
"""
_DAY_SQL = f"""
{_LAST_CLOSED_DAY_CTE}
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
_INCOME_SQL = """
SELECT (at AT TIME ZONE %(zone)s)::date AS day, code, currency, sum(minor)::bigint FROM (
    SELECT at, credit_account AS code, currency, amount_minor AS minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND credit_account = ANY (%(codes)s)
    UNION ALL SELECT at, debit_account, currency, -amount_minor FROM ledger_posting
    WHERE realm_id = %(realm)s AND at >= %(from)s AND at < %(until)s AND debit_account = ANY (%(codes)s)) sides
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
"""
_OPENING_BALANCE_SQL = f"""
{_LAST_CLOSED_DAY_CTE}
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
_LINES_SQL = """
SELECT at, kind, other, order_id, currency, debit, credit FROM (
    SELECT id, at, kind, credit_account AS other, order_id, currency, amount_minor AS debit, 0::bigint AS credit
    FROM ledger_posting WHERE realm_id = %(realm)s AND debit_account = %(code)s
    AND debit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at >= %(from)s AND at < %(until)s
    UNION ALL SELECT id, at, kind, debit_account, order_id, currency, 0, amount_minor
    FROM ledger_posting WHERE realm_id = %(realm)s AND credit_account = %(code)s
    AND credit_owner IS NOT DISTINCT FROM %(owner)s::uuid AND at >= %(from)s AND at < %(until)s) sides
ORDER BY at, id LIMIT %(most)s
"""
#: The platform's income and expense accounts.
RESULT_ACCOUNTS = ("fees", "late_fees", "recoveries", "losses")
LINES_MAX = 500


@dataclass(frozen=True, slots=True)
class AccountDay:
    """An account's day in one currency; `before` and `after` are balances on its normal side."""

    code: str
    currency: str
    before: int
    debits: int
    credits: int
    after: int


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """A day's income on one result account; losses are negative."""

    day: Any
    code: str
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of an account statement, with the balance after it."""

    at: datetime
    kind: str
    other: str
    order_id: UUID | None
    currency: str
    debit: int
    credit: int
    after: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """An account statement: opening balances by currency, its lines, and whether there are more than are shown."""

    before: dict[str, int]
    lines: list[StatementLine]
    has_more: bool


def normal_sign(code: str) -> int:
    """1 for accounts with a normal debit balance, else -1."""
    return 1 if chart_entry(code).kind in (AccountKind.ASSET, AccountKind.EXPENSE) else -1


def daily_trial_balance(realm_id: int, start: datetime, end: datetime) -> list[AccountDay]:
    """Every account's day, computed from the last closed day. Debits and credits are equal in each currency."""
    rows = _query(_DAY_SQL, realm=realm_id, **{"from": start, "until": end})
    return [
        AccountDay(
            code,
            currency,
            before * normal_sign(code),
            debits,
            credits_,
            (before + debits - credits_) * normal_sign(code),
        )
        for code, currency, before, debits, credits_ in rows
    ]


def income(realm_id: int, start: datetime, end: datetime) -> list[IncomeLine]:
    """Income by day, newest first."""
    span = {"from": start, "until": end}
    rows = _query(_INCOME_SQL, realm=realm_id, zone=LEDGER_TIMEZONE, codes=list(RESULT_ACCOUNTS), **span)
    return [IncomeLine(*row) for row in rows]


def account_statement(realm_id: int, code: str, owner: UUID | None, start: datetime, end: datetime) -> AccountStatement:
    """An account statement; with an owner, that of one merchant or person.

    Raises:
        KeyError: the chart has no such account.
    """
    sign, params = normal_sign(code), {"realm": realm_id, "code": code, "owner": str(owner) if owner else None}
    before = {currency: minor * sign for currency, minor in _query(_OPENING_BALANCE_SQL, **params, **{"from": start})}
    running, lines = dict(before), []
    span = {"from": start, "until": end, "most": LINES_MAX + 1}
    rows = _query(_LINES_SQL, **params, **span)
    for at, kind, other, order_id, currency, debit, credit in rows[:LINES_MAX]:
        running[currency] = running.get(currency, 0) + (debit - credit) * sign
        lines.append(StatementLine(at, kind, other, order_id, currency, debit, credit, running[currency]))
    return AccountStatement(before, lines, len(rows) > LINES_MAX)


def _query(sql: str, **params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
