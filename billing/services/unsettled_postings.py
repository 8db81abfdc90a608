"""Ledger postings of a merchant's account that are in no settlement yet."""

from typing import Any
from uuid import UUID

from django.db import connection

from kernel.prepared_statements import PreparedStatement
from merchants.models import Merchant

#: Kinds of postings for payouts; a settlement covers all other kinds.
PAID_OUT, ARRIVED, CAME_BACK = "paid_out", "payout_arrived", "payout_failed"
HELD, RELEASED = "reserve_held", "reserve_released"
#: Unsettled postings, signed from the merchant's point of view. All postings older than `below` are settled.
UNSETTLED = f"""
SELECT p.* FROM (
    SELECT id, order_id, kind, currency, at, debit_account AS other, amount_minor AS signed FROM ledger_posting
    WHERE credit_owner = %(merchant)s AND credit_account = 'payable' AND id >= %(below)s
    UNION ALL
    SELECT id, order_id, kind, currency, at, credit_account, -amount_minor FROM ledger_posting
    WHERE debit_owner = %(merchant)s AND debit_account = 'payable' AND id >= %(below)s) p
WHERE p.kind NOT IN ('{PAID_OUT}', '{CAME_BACK}')
  AND NOT EXISTS (SELECT 1 FROM billing_settlementline l WHERE l.id = p.id)
"""  # noqa: S608  our own names
#: The same for one currency, the next ones after a key: each side by its own index, each line looked up by key. So the
#: last five thousand of a million are found as fast as the first, even with stale statistics for a new day. The planner
#: takes an `IS NULL` test for one row in two hundred, and would gather and sort all that is left for each five
#: thousand: hence the `coalesce`, and KEEP_INDEX_ORDER, which also keeps it from sorting what it finds by day.
_NEXT = f"""
(SELECT id, order_id, kind, currency, at, {{other}} AS other, {{sign}}amount_minor AS signed FROM ledger_posting p
 WHERE {{side}}_owner = %(merchant)s AND {{side}}_account = 'payable' AND id >= %(below)s
   AND currency = %(currency)s AND at < %(cut)s AND kind NOT IN ('{PAID_OUT}', '{CAME_BACK}')
   AND coalesce((SELECT false FROM billing_settlementline l WHERE l.id = p.id), true)
 ORDER BY id LIMIT %(most)s)
"""  # noqa: S608  our own names
KEEP_INDEX_ORDER = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
NEXT_UNSETTLED = " UNION ALL ".join(
    (
        _NEXT.format(side="credit", other="debit_account", sign=""),
        _NEXT.format(side="debit", other="credit_account", sign="-"),
    )
)


def first_unsettled_sql(merchant: str, below: str) -> str:
    """SQL: since when anything has waited for a merchant's cut-off; key and `settled_below` are given as SQL.

    A posting, a reserve to release, or a failed or carried settlement; null if there is nothing.
    """
    return f"""least(
    (SELECT min(u.at) FROM ({UNSETTLED % {"merchant": merchant, "below": below}}) u),
    (SELECT min(held_until) - interval '1 microsecond' FROM billing_settlement s
     WHERE merchant_id = {merchant} AND held_minor > 0 AND NOT EXISTS (
         SELECT 1 FROM ledger_posting p WHERE p.cause_id = s.id AND p.kind = '{RELEASED}')),
    (SELECT own.created_at FROM merchants_merchant own WHERE own.id = {merchant} AND EXISTS (
         SELECT 1 FROM billing_settlement s WHERE s.merchant_id = {merchant} AND s.net_minor > 0
         AND s.state IN ('failed', 'carried')
         AND NOT EXISTS (SELECT 1 FROM billing_settlementline l WHERE l.earlier_id = s.id))))"""  # noqa: S608  our own names


FIRST_UNSETTLED = PreparedStatement(f"SELECT {first_unsettled_sql('$1', '$2')}", ["uuid", "uuid"], generic=False)


def query_unsettled(merchant: Merchant, question: str, **more: Any) -> list[tuple[Any, ...]]:
    """Run a query on the merchant's unsettled postings, for which `{}` stands in the SQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            question.format(UNSETTLED),
            {"merchant": merchant.id, "below": merchant.settled_below or UUID(int=0), **more},
        )
        return list(cursor.fetchall())


def count_unsettled(merchant: Merchant, *, most: int) -> int:
    """How many postings wait for a cut-off, counted up to `most`."""
    return int(query_unsettled(merchant, "SELECT count(*) FROM ({} LIMIT %(most)s) u", most=most)[0][0])
