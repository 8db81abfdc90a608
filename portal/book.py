"""What the book says of a merchant's own accounts."""

from dataclasses import dataclass

from django.db import connection

from kernel.money import Money
from merchants.models import Merchant


@dataclass(frozen=True, slots=True)
class Account:
    """What the book says of a merchant in one currency: what it is owed now, what later, and what it paid in fees."""

    currency: str
    payable: Money
    pending: Money
    held: Money
    fees: Money
    credited: Money


_BOOK = """
SELECT currency,
       sum(CASE WHEN side = 'c' AND account = 'payable' THEN minor WHEN account = 'payable' THEN -minor ELSE 0 END),
       sum(CASE WHEN side = 'c' AND account = 'pending' THEN minor WHEN account = 'pending' THEN -minor ELSE 0 END),
       sum(CASE WHEN side = 'c' AND account = 'reserve' THEN minor WHEN account = 'reserve' THEN -minor ELSE 0 END),
       sum(CASE WHEN other = 'fees' AND side = 'd' THEN minor WHEN other = 'fees' THEN -minor ELSE 0 END),
       sum(CASE WHEN side = 'c' AND account = 'payable' AND other NOT IN ('fees', 'reserve', 'payouts')
                THEN minor ELSE 0 END)
FROM (SELECT currency, 'c' AS side, credit_account AS account, debit_account AS other, amount_minor AS minor
      FROM ledger_posting WHERE realm_id = %(realm)s AND credit_owner = %(owner)s
                            AND credit_account IN ('payable', 'pending', 'reserve')
      UNION ALL
      SELECT currency, 'd', debit_account, credit_account, amount_minor
      FROM ledger_posting WHERE realm_id = %(realm)s AND debit_owner = %(owner)s
                            AND debit_account IN ('payable', 'pending', 'reserve')) sides
GROUP BY currency ORDER BY currency
"""


def accounts_of(merchant: Merchant) -> list[Account]:
    """The merchant's own accounts in the book."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOK, {"realm": merchant.realm_id, "owner": merchant.id})
        rows = cursor.fetchall()
    return [Account(currency, *(Money(int(minor), currency) for minor in sums)) for currency, *sums in rows]
