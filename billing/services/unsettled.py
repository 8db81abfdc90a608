"""What of a merchant's account is in no settlement yet, asked of the book."""

from typing import Any
from uuid import UUID

from django.db import connection

from kernel.prepared import Question
from merchants.models import Merchant

#: What moves the balance out and back; a settlement is about the rest.
PAID_OUT, ARRIVED, CAME_BACK = "paid_out", "payout_arrived", "payout_failed"
HELD, RELEASED = "reserve_held", "reserve_released"
#: What of a merchant's account is in no settlement yet, as they feel it. Older postings than `below` all are.
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
#: The same, the first of a currency's after a key: either side by its own index, each line looked up by its key. So the
#: last five thousand of a million are found as fast as the first, whatever the planner knows of a day that just came.
#: What is asked as `IS NULL` it takes for one row of two hundred, and then gathers and sorts all that is left for each
#: five thousand: so it is asked another way, and under IN_ORDER. Nor may it sort by itself what it finds by its day.
_NEXT = f"""
(SELECT id, order_id, kind, currency, at, {{other}} AS other, {{sign}}amount_minor AS signed FROM ledger_posting p
 WHERE {{side}}_owner = %(merchant)s AND {{side}}_account = 'payable' AND id >= %(below)s
   AND currency = %(currency)s AND at < %(cut)s AND kind NOT IN ('{PAID_OUT}', '{CAME_BACK}')
   AND coalesce((SELECT false FROM billing_settlementline l WHERE l.id = p.id), true)
 ORDER BY id LIMIT %(most)s)
"""  # noqa: S608  our own names
IN_ORDER = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
NEXT_UNSETTLED = " UNION ALL ".join(
    (
        _NEXT.format(side="credit", other="debit_account", sign=""),
        _NEXT.format(side="debit", other="credit_account", sign="-"),
    )
)


def first_moment(merchant: str, below: str) -> str:
    """SQL: since when anything has waited for a cut-off of a merchant's, whose key and mark are given as SQL.

    A line, a reserve that is over, or money that came back or goes along with a debt; null where there is nothing.
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


FIRST_MOMENT = Question(f"SELECT {first_moment('$1', '$2')}", ["uuid", "uuid"], generic=False)


def ask_of(merchant: Merchant, question: str, **more: Any) -> list[tuple[Any, ...]]:
    """What is asked about the merchant's unsettled lines, which stand in it as `{}`."""
    with connection.cursor() as cursor:
        cursor.execute(
            question.format(UNSETTLED),
            {"merchant": merchant.id, "below": merchant.settled_below or UUID(int=0), **more},
        )
        return list(cursor.fetchall())


def unsettled(merchant: Merchant, *, most: int) -> int:
    """How many lines wait for a cut-off, counted no further than `most`."""
    return int(ask_of(merchant, "SELECT count(*) FROM ({} LIMIT %(most)s) u", most=most)[0][0])
