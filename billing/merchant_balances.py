"""A merchant's balances in the ledger: a stored total up to some posting id, plus what was posted since."""

from uuid import UUID

from django.db import connection

from merchants.models import Merchant

_MIN_ID, _MAX_ID = UUID(int=0), UUID(int=2**128 - 1)
_COLUMNS = "payable_minor, pending_minor, reserve_minor, fees_minor, credited_minor"
_UNROLLED_SUMS_SQL = """
SELECT currency,
       sum(CASE WHEN side = 'c' AND account = 'payable' THEN minor WHEN account = 'payable' THEN -minor ELSE 0 END)
           AS payable_minor,
       sum(CASE WHEN side = 'c' AND account = 'pending' THEN minor WHEN account = 'pending' THEN -minor ELSE 0 END)
           AS pending_minor,
       sum(CASE WHEN side = 'c' AND account = 'reserve' THEN minor WHEN account = 'reserve' THEN -minor ELSE 0 END)
           AS reserve_minor,
       sum(CASE WHEN other = 'fees' AND side = 'd' THEN minor WHEN other = 'fees' THEN -minor ELSE 0 END)
           AS fees_minor,
       sum(CASE WHEN side = 'c' AND account = 'payable' AND other NOT IN ('fees', 'reserve', 'payouts')
                THEN minor ELSE 0 END) AS credited_minor
FROM (SELECT currency, 'c' AS side, credit_account AS account, debit_account AS other, amount_minor AS minor
      FROM ledger_posting WHERE credit_owner = %(owner)s AND credit_account IN ('payable', 'pending', 'reserve')
                            AND id >= (SELECT below FROM mark) AND id < %(upto)s
      UNION ALL
      SELECT currency, 'd', debit_account, credit_account, amount_minor
      FROM ledger_posting WHERE debit_owner = %(owner)s AND debit_account IN ('payable', 'pending', 'reserve')
                            AND id >= (SELECT below FROM mark) AND id < %(upto)s) sides
GROUP BY currency
"""
_STORED_UPTO_SQL = """
mark AS (SELECT coalesce((SELECT below FROM billing_standing WHERE merchant_id = %(owner)s LIMIT 1), %(nothing)s)
                AS below)"""
_ROLL_FORWARD_SQL = f"""
WITH {_STORED_UPTO_SQL} INSERT INTO billing_standing (merchant_id, currency, below, {_COLUMNS})
SELECT %(owner)s, currency, %(upto)s, {_COLUMNS} FROM ({_UNROLLED_SUMS_SQL}) fresh
ON CONFLICT (merchant_id, currency) DO UPDATE SET
    payable_minor = billing_standing.payable_minor + EXCLUDED.payable_minor,
    pending_minor = billing_standing.pending_minor + EXCLUDED.pending_minor,
    reserve_minor = billing_standing.reserve_minor + EXCLUDED.reserve_minor,
    fees_minor = billing_standing.fees_minor + EXCLUDED.fees_minor,
    credited_minor = billing_standing.credited_minor + EXCLUDED.credited_minor
"""  # noqa: S608  our own names
_BALANCES_SQL = f"""
WITH {_STORED_UPTO_SQL} SELECT currency, sum(payable_minor), sum(pending_minor), sum(reserve_minor), sum(fees_minor),
       sum(credited_minor)
FROM (SELECT currency, {_COLUMNS} FROM billing_standing WHERE merchant_id = %(owner)s
      UNION ALL SELECT currency, {_COLUMNS} FROM ({_UNROLLED_SUMS_SQL}) fresh) added
GROUP BY currency ORDER BY currency
"""  # noqa: S608  our own names


def roll_balances_forward(merchant: Merchant, upto: UUID) -> None:
    """Add the postings below this id, where none can appear any more, to the totals. The caller locks the merchant."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLL_FORWARD_SQL, {"owner": merchant.id, "nothing": _MIN_ID, "upto": upto})
        cursor.execute("UPDATE billing_standing SET below = %s WHERE merchant_id = %s", [upto, merchant.id])


def merchant_balances(merchant: Merchant) -> list[tuple[str, int, int, int, int, int]]:
    """By currency, in minor units: payable, pending, reserve, fees paid, credited. One query, exact."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES_SQL, {"owner": merchant.id, "nothing": _MIN_ID, "upto": _MAX_ID})
        return [(currency, *map(int, sums)) for currency, *sums in cursor.fetchall()]
