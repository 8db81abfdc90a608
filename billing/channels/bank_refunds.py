"""The sandbox bank gives money back: by the transaction that took it, never more of it than was taken."""

from datetime import datetime
from typing import Any

from billing.channels import bank
from billing.channels.bank import BankAccount, Behaviour
from billing.channels.base import Answer, Declined, Lost
from billing.planning import Kind
from kernel.money import Money


def refund(number: str, txn: str, amount: Money, *, at: datetime) -> Answer:
    """The bank's side of a refund: one effect a number, and the answer that reaches us, or none."""
    with bank.books() as cursor:
        if bank.turn(cursor, number):
            return Declined("closed", Kind.TECHNICAL)
        known = bank.movement_of(cursor, number)
        if known is not None:
            return bank.told(known, at=at)
        left = _left_of(cursor, txn)
        if left is None:
            return Declined("transaction_unknown", Kind.HARD)
        account = _account_of(cursor, txn)
        if account.behaviour is Behaviour.TIMEOUT_THEN_NOT_PAID and account.charges == 1:
            return Lost("timeout")
        refusal = _refusal(account, left, amount)
        bank.write(cursor, account, number, amount, refusal, at=at, refund_of=txn)
        return refusal or bank.first_answer(cursor, account, number, amount, at=at)


def refunds_of(token: str) -> list[Money]:
    """What really went back to an account, oldest first: the truth the tests hold our book against."""
    with bank.books() as cursor:
        cursor.execute(
            "SELECT amount_minor, currency FROM sandbox_bank.debit WHERE token = %s AND code = ''"
            " AND refund_of IS NOT NULL ORDER BY at, number",
            [token],
        )
        return [Money(minor, currency) for minor, currency in cursor.fetchall()]


def gone_of(cursor: Any, txn: str) -> int:
    """How much of a debit went back to its account: refunded by us, or taken back by the bank."""
    cursor.execute(
        "SELECT coalesce((SELECT sum(amount_minor) FROM sandbox_bank.debit WHERE refund_of = %(txn)s AND code = ''), 0)"
        " + coalesce((SELECT sum(amount_minor) FROM sandbox_bank.returned WHERE of = %(txn)s AND NOT given_way), 0)",
        {"txn": txn},
    )
    return int(cursor.fetchone()[0])


def _left_of(cursor: Any, txn: str) -> Money | None:
    """What of a transaction was not refunded yet; the bank refunds it one at a time."""
    cursor.execute(
        "SELECT amount_minor, currency FROM sandbox_bank.debit"
        " WHERE txn = %s AND code = '' AND refund_of IS NULL FOR UPDATE",
        [txn],
    )
    taken = cursor.fetchone()
    if taken is None:
        return None
    return Money(taken[0] - gone_of(cursor, txn), taken[1])


def _account_of(cursor: Any, txn: str) -> BankAccount:
    """The account the money came from; of its refunds this is one more."""
    cursor.execute(
        "UPDATE sandbox_bank.account a SET refunds = refunds + 1 FROM sandbox_bank.debit d"
        " WHERE d.txn = %s AND a.token = d.token"
        " RETURNING a.token, a.behaviour, a.until, a.balance_minor, a.refunds",
        [txn],
    )
    row = cursor.fetchone()
    return BankAccount(row[0], Behaviour(row[1]), *row[2:])


def _refusal(account: BankAccount, left: Money, amount: Money) -> Declined | None:
    if account.behaviour is Behaviour.HARD_DECLINE:
        return Declined("account_closed", Kind.HARD)
    if amount.currency != left.currency or amount.minor > left.minor:
        return Declined("refund_too_much", Kind.HARD)
    return None
