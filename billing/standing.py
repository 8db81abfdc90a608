"""A merchant's own accounts in the book: what they were at some key, and what was booked since."""

from uuid import UUID

from django.db import connection

from merchants.models import Merchant

_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)
_COLUMNS = "payable_minor, pending_minor, reserve_minor, fees_minor, credited_minor"
_SUMS = """
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
_MARK = """
mark AS (SELECT coalesce((SELECT below FROM billing_standing WHERE merchant_id = %(owner)s LIMIT 1), %(nothing)s)
                AS below)"""
_MOVE = f"""
WITH {_MARK} INSERT INTO billing_standing (merchant_id, currency, below, {_COLUMNS})
SELECT %(owner)s, currency, %(upto)s, {_COLUMNS} FROM ({_SUMS}) fresh
ON CONFLICT (merchant_id, currency) DO UPDATE SET
    payable_minor = billing_standing.payable_minor + EXCLUDED.payable_minor,
    pending_minor = billing_standing.pending_minor + EXCLUDED.pending_minor,
    reserve_minor = billing_standing.reserve_minor + EXCLUDED.reserve_minor,
    fees_minor = billing_standing.fees_minor + EXCLUDED.fees_minor,
    credited_minor = billing_standing.credited_minor + EXCLUDED.credited_minor
"""  # noqa: S608  our own names
_NOW = f"""
WITH {_MARK} SELECT currency, sum(payable_minor), sum(pending_minor), sum(reserve_minor), sum(fees_minor),
       sum(credited_minor)
FROM (SELECT currency, {_COLUMNS} FROM billing_standing WHERE merchant_id = %(owner)s
      UNION ALL SELECT currency, {_COLUMNS} FROM ({_SUMS}) fresh) added
GROUP BY currency ORDER BY currency
"""  # noqa: S608  our own names


def move_standing(merchant: Merchant, upto: UUID) -> None:
    """Add up what was booked below this key, where nothing can appear any more. Whoever calls holds the merchant."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"owner": merchant.id, "nothing": _FIRST, "upto": upto})
        cursor.execute("UPDATE billing_standing SET below = %s WHERE merchant_id = %s", [upto, merchant.id])


def standing_of(merchant: Merchant) -> list[tuple[str, int, int, int, int, int]]:
    """By currency, in minor units: payable, pending, held back, paid in fees, credited. One question, to the cent."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW, {"owner": merchant.id, "nothing": _FIRST, "upto": _LAST})
        return [(currency, *map(int, sums)) for currency, *sums in cursor.fetchall()]
