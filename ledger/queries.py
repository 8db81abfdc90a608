"""Queries on the ledger: balances, the trial balance, and the postings of an order."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet, Sum

from kernel.money import Money
from ledger.accounts import Account, AccountKind, chart_entry
from ledger.models import Posting


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's total debits and credits in one currency; `net` is positive on the account's normal side."""

    code: str
    currency: str
    debits: int
    credits: int

    @property
    def net(self) -> int:
        normal_debit = chart_entry(self.code).kind in (AccountKind.ASSET, AccountKind.EXPENSE)
        return self.debits - self.credits if normal_debit else self.credits - self.debits


def balance(account: Account, *, realm_id: int, currency: str) -> Money:
    """The account's current balance, on its normal side."""
    rows = Posting.objects.filter(realm_id=realm_id, currency=currency)
    debit_sum = rows.filter(debit_account=account.code, debit_owner=account.owner).aggregate(s=Sum("amount_minor"))["s"]
    credit_sum = rows.filter(credit_account=account.code, credit_owner=account.owner).aggregate(s=Sum("amount_minor"))[
        "s"
    ]
    return Money(Balance(account.code, currency, int(debit_sum or 0), int(credit_sum or 0)).net, currency)


def trial_balance(realm_id: int) -> list[Balance]:
    """Every account's totals over all its owners. Total debits and credits are equal in each currency."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT code, currency, sum(debit)::bigint, sum(credit)::bigint FROM (
                SELECT debit_account AS code, currency, amount_minor AS debit, 0 AS credit
                FROM ledger_posting WHERE realm_id = %(realm)s
                UNION ALL
                SELECT credit_account, currency, 0, amount_minor FROM ledger_posting WHERE realm_id = %(realm)s
            ) sides GROUP BY code, currency ORDER BY code, currency
            """,
            {"realm": realm_id},
        )
        return [Balance(*row) for row in cursor.fetchall()]


def postings_of_order(order_id: UUID) -> QuerySet[Posting]:
    """Every posting about the order, oldest first."""
    return Posting.objects.filter(order_id=order_id).order_by("at", "id")
